/*
 * echo-load ADDRESS PORT SIZE IN_FLIGHT WARM_UP SECONDS
 *
 * Keeps IN_FLIGHT datagrams of SIZE bytes under way to an echo server, first for WARM_UP seconds, then for SECONDS.
 * Writes how many replies a second came during SECONDS, and the median of their round-trip times in microseconds.
 *
 * Each reply makes room for one more datagram. A server may join several datagrams into one reply: then only the first
 * counts as answered, and the others stay under way. If no reply comes for a tenth of a second, all datagrams under way
 * count as lost, and new ones are sent.
 */
#include "common.h"

#define MOST_IN_FLIGHT 1024
#define MOST_TIMES (8 << 20)
/* Room for a reply in bytes. A server that joins datagrams sends several of them back in one. */
#define ROOM 65536

/* The beginning of each payload: a number, so that no two payloads are equal, and the time of sending. */
struct stamp {
  uint64_t number;
  double time;
};

static int compare(const void *a, const void *b) {
  float first = *(const float *)a, second = *(const float *)b;
  return (first > second) - (first < second);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int fd = connected_socket(argv[1], argv[2]);
  int size = atoi(argv[3]), most = atoi(argv[4]);
  double begin = now() + atof(argv[5]), end = begin + atof(argv[6]), time;
  if (size < (int)sizeof(struct stamp) || most < 1 || most > MOST_IN_FLIGHT) return 2;
  struct timeval patience = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  char *requests = calloc(most, size), *replies = malloc((size_t)most * ROOM);
  float *times = malloc(MOST_TIMES * sizeof *times);
  struct mmsghdr *sending = calloc(most, sizeof *sending), *receiving = calloc(most, sizeof *receiving);
  struct iovec *outgoing = calloc(most, sizeof *outgoing), *incoming = calloc(most, sizeof *incoming);
  for (int nth = 0; nth < most; nth++) {
    outgoing[nth] = (struct iovec){requests + (size_t)nth * size, size};
    incoming[nth] = (struct iovec){replies + (size_t)nth * ROOM, ROOM};
    sending[nth].msg_hdr = (struct msghdr){.msg_iov = &outgoing[nth], .msg_iovlen = 1};
    receiving[nth].msg_hdr = (struct msghdr){.msg_iov = &incoming[nth], .msg_iovlen = 1};
  }

  uint64_t number = 0;
  long counted = 0, lost = 0;
  int under_way = 0;
  while ((time = now()) < end) {
    int room = most - under_way;
    for (int nth = 0; nth < room; nth++) {
      struct stamp stamp = {number++, time};
      memcpy(outgoing[nth].iov_base, &stamp, sizeof stamp);
    }
    if (room > 0) {
      int sent = sendmmsg(fd, sending, room, 0);
      if (sent < 0) die("sendmmsg");
      under_way += sent;
    }
    int count = recvmmsg(fd, receiving, most, MSG_WAITFORONE, NULL);
    if (count < 0) {
      if (errno != EAGAIN) die("recvmmsg");
      lost += under_way;
      under_way = 0;
    }
    time = now();
    for (int nth = 0; nth < count; nth++) {
      struct stamp stamp;
      memcpy(&stamp, incoming[nth].iov_base, sizeof stamp);
      if (under_way > 0) under_way--;
      if (time < begin || time >= end) continue;
      if (counted < MOST_TIMES) times[counted] = (time - stamp.time) * 1e6;
      counted++;
    }
  }
  long kept = counted < MOST_TIMES ? counted : MOST_TIMES;
  qsort(times, kept, sizeof *times, compare);
  printf("{\"rate\":%.1f,\"p50\":%.1f,\"lost\":%ld}\n", counted / (end - begin), kept ? times[kept / 2] : 0, lost);
}
