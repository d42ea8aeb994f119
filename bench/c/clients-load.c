/*
 * clients-load ADDRESS PORT SIZE CLIENTS WARM_UP SECONDS
 *
 * CLIENTS clients, each with a socket of its own, keep one datagram of SIZE bytes under way each. Writes how many replies a
 * second came during SECONDS, and the median of their round-trip times in microseconds. A client without a reply for a
 * second sends again.
 */
#include "common.h"
#include <sys/epoll.h>
#include <sys/resource.h>

#define MOST_TIMES (8 << 20)
#define BATCH 256

static int compare(const void *a, const void *b) {
  float first = *(const float *)a, second = *(const float *)b;
  return (first > second) - (first < second);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  int size = atoi(argv[3]), clients = atoi(argv[4]);
  if (size < 1 || size > MOST_BYTES || clients < 1) return 2;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int *fds = calloc(clients, sizeof *fds), poll = epoll_create1(0);
  double *sent = calloc(clients, sizeof *sent);
  float *times = malloc(MOST_TIMES * sizeof *times);
  static char payload[MOST_BYTES];
  struct epoll_event events[BATCH];
  for (int nth = 0; nth < clients; nth++) {
    fds[nth] = connected_socket(argv[1], argv[2]);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = nth};
    epoll_ctl(poll, EPOLL_CTL_ADD, fds[nth], &event);
  }
  double begin = now() + atof(argv[5]), end = begin + atof(argv[6]), time, checked = 0;
  long counted = 0, lost = 0;
  while ((time = now()) < end) {
    if (time - checked > 0.1) {
      for (int nth = 0; nth < clients; nth++) {
        if (time - sent[nth] < 1) continue;
        if (sent[nth] > 0) lost++;
        sent[nth] = time;
        send(fds[nth], payload, size, 0);
      }
      checked = time;
    }
    int ready = epoll_wait(poll, events, BATCH, 100);
    for (int which = 0; which < ready; which++) {
      int nth = events[which].data.u32;
      if (recv(fds[nth], payload, sizeof payload, MSG_DONTWAIT) < 0) continue;
      time = now();
      if (time >= begin && time < end) {
        if (counted < MOST_TIMES) times[counted] = (time - sent[nth]) * 1e6;
        counted++;
      }
      sent[nth] = time;
      send(fds[nth], payload, size, 0);
    }
  }
  long kept = counted < MOST_TIMES ? counted : MOST_TIMES;
  qsort(times, kept, sizeof *times, compare);
  printf("{\"rate\":%.1f,\"p50\":%.1f,\"lost\":%ld}\n", counted / (end - begin), kept ? times[kept / 2] : 0, lost);
}
