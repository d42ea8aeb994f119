/*
 * echo-poll ADDRESS PORT SIZE IN_FLIGHT WARM_UP SECONDS
 *
 * Asks an echo server one question at a time, as a program with an event loop does: it sends, waits with poll(), and receives
 * without waiting. IN_FLIGHT must be 1. Writes the same figures as echo-load. A reply that does not come within a tenth of a
 * second counts as lost.
 */
#include "common.h"
#include <poll.h>

#define MOST_TIMES (8 << 20)

static int compare(const void *a, const void *b) {
  float first = *(const float *)a, second = *(const float *)b;
  return (first > second) - (first < second);
}

int main(int argc, char **argv) {
  if (argc != 7 || atoi(argv[4]) != 1) return 2;
  int fd = connected_socket(argv[1], argv[2]);
  size_t size = atoi(argv[3]);
  double begin = now() + atof(argv[5]), end = begin + atof(argv[6]), time;
  static char request[MOST_BYTES], reply[MOST_BYTES];
  if (size < sizeof(uint64_t) || size > sizeof request) return 2;
  float *times = malloc(MOST_TIMES * sizeof *times);
  long counted = 0, lost = 0;
  for (uint64_t number = 0; (time = now()) < end; number++) {
    memcpy(request, &number, sizeof number);
    if (send(fd, request, size, 0) < 0) die("send");
    for (;;) {
      struct pollfd watched = {.fd = fd, .events = POLLIN};
      if (poll(&watched, 1, 100) == 0) {
        lost++;
        break;
      }
      ssize_t got = recv(fd, reply, sizeof reply, MSG_DONTWAIT);
      if (got < 0 && errno != EAGAIN) die("recv");
      /* A late reply to an earlier question is not counted. */
      if (got < (ssize_t)size || memcmp(reply, request, size) != 0) continue;
      if (time >= begin && counted < MOST_TIMES) times[counted++] = (now() - time) * 1e6;
      break;
    }
  }
  qsort(times, counted, sizeof *times, compare);
  printf("{\"rate\":%.1f,\"p50\":%.1f,\"lost\":%ld}\n", counted / (end - begin), counted ? times[counted / 2] : 0, lost);
}
