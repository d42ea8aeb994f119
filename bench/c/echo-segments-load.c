/*
 * echo-segments-load ADDRESS PORT SIZE IN_FLIGHT WARM_UP SECONDS
 *
 * Keeps about IN_FLIGHT numbered datagrams of SIZE bytes under way to an echo server, first for WARM_UP seconds, then for SECONDS.
 * It sends them as segments of messages (UDP_SEGMENT), and receives them coalesced (UDP_GRO). Writes how many replies a second
 * came during SECONDS. If no reply comes for a tenth of a second, all datagrams under way count as lost.
 */
#include "common.h"
#include <netinet/udp.h>

#define BATCH 32
#define ROOM 65536
/* How many datagrams a message holds: all fit the largest packet. */
#define SEGMENTS 46

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int fd = connected_socket(argv[1], argv[2]), on = 1, size = atoi(argv[3]);
  long most = atol(argv[4]);
  if (size < 8 || size * SEGMENTS > MOST_BYTES || most < SEGMENTS) return 2;
  if (setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
  if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0) die("UDP_SEGMENT");
  struct timeval patience = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  static char payloads[BATCH][ROOM], request[ROOM];
  static struct iovec vectors[BATCH];
  static struct mmsghdr messages[BATCH];
  double begin = now() + atof(argv[5]), end = begin + atof(argv[6]), time;
  uint64_t number = 0;
  long under_way = 0, counted = 0, lost = 0;
  while ((time = now()) < end) {
    for (; under_way + SEGMENTS <= most; under_way += SEGMENTS) {
      for (int nth = 0; nth < SEGMENTS; nth++, number++) memcpy(request + nth * size, &number, sizeof number);
      if (send(fd, request, (size_t)SEGMENTS * size, 0) < 0) die("send");
    }
    for (int nth = 0; nth < BATCH; nth++) {
      vectors[nth] = (struct iovec){payloads[nth], ROOM};
      messages[nth].msg_hdr = (struct msghdr){.msg_iov = &vectors[nth], .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count < 0) {
      if (errno != EAGAIN) die("recvmmsg");
      lost += under_way;
      under_way = 0;
    }
    for (int nth = 0; nth < count; nth++) {
      long replies = messages[nth].msg_len / size;
      under_way = under_way > replies ? under_way - replies : 0;
      if (time >= begin) counted += replies;
    }
  }
  printf("{\"rate\":%.1f,\"p50\":0,\"lost\":%ld}\n", counted / (end - begin), lost);
}
