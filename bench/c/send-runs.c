/* send-runs ADDRESS PORT SIZE COUNT SECONDS: sends runs of COUNT datagrams (UDP_SEGMENT), one with each call, at full speed. */
#include "common.h"
#include <netinet/udp.h>

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int fd = connected_socket(argv[1], argv[2]), size = atoi(argv[3]), count = atoi(argv[4]);
  if (size < 1 || count < 1 || count > MOST_SEGMENTS || size * count > MOST_BYTES) return 2;
  if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0) die("UDP_SEGMENT");
  static char payload[MOST_BYTES];
  double begin = now(), end = begin + atof(argv[5]);
  long sent = 0;
  while (now() < end) {
    if (send(fd, payload, (size_t)size * count, 0) > 0) sent += count;
  }
  printf("{\"sent\":%ld,\"seconds\":%.6f}\n", sent, now() - begin);
}
