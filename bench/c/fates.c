/*
 * fates ADDRESS PORT SIZE RATE COUNT
 *
 * Sends COUNT numbered datagrams of SIZE bytes to an echo server, RATE a second, and takes the replies by the kernel's times.
 * Writes how many datagrams got a reply, how many replies came more than once, in how many bursts datagrams got none, the
 * median and the 99th percentile of the times from sending to the reply in milliseconds, and the rate of the replies in bits
 * a second with the headers of UDP and IPv4. Ends when no reply has come for a second.
 *
 * Waits if it is far ahead of the replies, so that no buffer of the kernel is full on a busy machine.
 */
#include "common.h"
#include <poll.h>

#define HEADER_BYTES 28
#define PATIENCE 1.0
/* How many datagrams it is ahead of the last reply at most. */
#define WINDOW 2000
/* How long no reply must come before it sends although it is that far ahead. */
#define STALL 0.2

struct stamp {
  uint64_t number;
  double time;
};

static double wall(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b) {
  float first = *(const float *)a, second = *(const float *)b;
  return (first > second) - (first < second);
}

/* Receives a reply. Returns its size, -1 if there is none. */
static int receive(int fd, struct stamp *stamp, double *time) {
  static char payload[MOST_BYTES], control[256];
  struct iovec vector = {payload, sizeof payload};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int bytes = recvmsg(fd, &message, MSG_DONTWAIT);
  if (bytes < (int)sizeof *stamp) return bytes < 0 ? -1 : 0;
  memcpy(stamp, payload, sizeof *stamp);
  for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SO_TIMESTAMPNS) continue;
    struct timespec at;
    memcpy(&at, CMSG_DATA(each), sizeof at);
    *time = at.tv_sec + at.tv_nsec / 1e9;
  }
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int fd = connected_socket(argv[1], argv[2]), size = atoi(argv[3]), on = 1;
  double rate = atof(argv[4]);
  long count = atol(argv[5]), sent = 0, answered = 0, copies = 0, bursts = 0;
  if (size < (int)sizeof(struct stamp) || size > MOST_BYTES || rate <= 0 || count < 1) return 2;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  unsigned char *replies = calloc(count, 1);
  float *times = malloc(count * sizeof *times);
  static char payload[MOST_BYTES];
  long highest = 0;
  double begin = now(), last = begin, first_reply = 0, last_reply = 0;
  while (sent < count || now() - last < PATIENCE) {
    double time = now();
    if (sent - highest >= WINDOW) {
      if (time - last < STALL) begin = time + 0.001 - sent / rate;
      else highest = sent;
    }
    for (; sent < count && begin + sent / rate <= time && sent - highest < WINDOW; sent++) {
      struct stamp stamp = {sent, wall()};
      memcpy(payload, &stamp, sizeof stamp);
      if (send(fd, payload, size, 0) < 0) die("send");
      last = time;
    }
    double left = sent < count ? begin + sent / rate - now() : PATIENCE;
    struct timespec wait = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
    struct pollfd watched = {fd, POLLIN, 0};
    if (left > 0) ppoll(&watched, 1, &wait, NULL);
    struct stamp stamp;
    for (int nth = 0; nth < 64 && receive(fd, &stamp, &time) >= 0; nth++) {
      last = now();
      if (stamp.number >= (uint64_t)count) continue;
      if ((long)stamp.number > highest) highest = stamp.number;
      if (replies[stamp.number]++) {
        copies++;
        continue;
      }
      if (answered == 0) first_reply = time;
      last_reply = time;
      times[answered++] = (time - stamp.time) * 1e3;
    }
  }
  for (long nth = 0; nth < count; nth++) bursts += !replies[nth] && (nth == 0 || replies[nth - 1]);
  qsort(times, answered, sizeof *times, compare);
  double took = last_reply - first_reply, bits = answered > 1 ? (answered - 1) * (size + HEADER_BYTES) * 8.0 / took : 0;
  printf("{\"sent\":%ld,\"answered\":%ld,\"copies\":%ld,\"bursts\":%ld,\"p50\":%.4f,\"p99\":%.4f,\"bits\":%.0f}\n", sent,
         answered, copies, bursts, answered ? times[answered / 2] : 0, answered ? times[answered * 99 / 100] : 0, bits);
}
