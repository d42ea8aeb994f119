/* echo ADDRESS: an echo server, recvfrom() and sendto() in a loop until it is killed. */
#include "common.h"

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int fd = bound_socket(argv[1]);
  static char payload[MOST_BYTES];
  for (;;) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    ssize_t size = recvfrom(fd, payload, sizeof payload, 0, (struct sockaddr *)&peer, &length);
    if (size >= 0) sendto(fd, payload, size, 0, (struct sockaddr *)&peer, length);
  }
}
