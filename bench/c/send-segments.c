/*
 * send-segments ADDRESS PORT SIZE SECONDS [RATE RAMP BURST [PAYLOAD]]
 *
 * Sends with sendmmsg() messages that the kernel cuts into datagrams (UDP_SEGMENT): at full speed, or RATE datagrams a
 * second in bursts of at least BURST. With a BURST of 1 it sends single datagrams.
 *
 * The rate rises evenly during the first RAMP seconds, so that a receiver can warm up. They are not part of SECONDS.
 *
 * PAYLOAD: "text" is letters and digits, "nul" is bytes 0, "bytes" is random bytes, which are no UTF-8. Default: text.
 */
#include "common.h"
#include <netinet/udp.h>

#define MESSAGES 8
/* The sender makes up for a delay of at most this many seconds. Making up for more would be a flood. */
#define LONGEST_LAG 0.001

static char payload[MOST_BYTES];

static int least(int a, int b) { return a < b ? a : b; }

static void fill_payload(const char *kind) {
  static const char text[] = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";
  for (int nth = 0; nth < MOST_BYTES; nth++) {
    if (strcmp(kind, "text") == 0) payload[nth] = text[nth % (sizeof text - 1)];
    else if (strcmp(kind, "bytes") == 0) payload[nth] = rand() >> 8;
    else if (strcmp(kind, "nul") != 0) exit(2);
  }
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 8 && argc != 9) return 2;
  int fd = connected_socket(argv[1], argv[2]);
  int size = atoi(argv[3]);
  double seconds = atof(argv[4]);
  double rate = argc > 5 ? atof(argv[5]) : 0, ramp = argc > 5 ? atof(argv[6]) : 0;
  int burst = argc > 5 ? atoi(argv[7]) : 1;
  int most = argc > 5 && burst == 1 ? 1 : least(MOST_SEGMENTS, MOST_BYTES / size);

  fill_payload(argc == 9 ? argv[8] : "text");
  static struct mmsghdr messages[MESSAGES];
  struct iovec vectors[MESSAGES];
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control;
  memset(&control, 0, sizeof control);
  control.align.cmsg_len = CMSG_LEN(sizeof(uint16_t));
  control.align.cmsg_level = IPPROTO_UDP;
  control.align.cmsg_type = UDP_SEGMENT;
  *(uint16_t *)CMSG_DATA(&control.align) = size;
  for (int nth = 0; nth < MESSAGES; nth++) {
    vectors[nth].iov_base = payload;
    messages[nth].msg_hdr.msg_iov = &vectors[nth];
    messages[nth].msg_hdr.msg_iovlen = 1;
    messages[nth].msg_hdr.msg_control = &control;
    messages[nth].msg_hdr.msg_controllen = sizeof control.bytes;
  }

  double begin = now(), last = begin, time = begin, credit = 0, steady = ramp > 0 ? 0 : begin;
  long sent = 0, before = 0;
  while ((time = now()) < begin + ramp + seconds) {
    if (steady == 0 && time >= begin + ramp) {
      steady = time;
      before = sent;
    }
    int due = most * MESSAGES;
    if (rate > 0) {
      double passed = time - last < LONGEST_LAG ? time - last : LONGEST_LAG;
      credit += passed * rate * (time < begin + ramp ? (time - begin) / ramp : 1);
      due = least(due, (int)credit);
    }
    last = time;
    if (due < burst) continue;
    int count = 0;
    for (int left = due; left > 0; left -= most) vectors[count++].iov_len = (size_t)least(left, most) * size;
    int taken = sendmmsg(fd, messages, count, 0);
    if (taken < 0 && errno != ENOBUFS && errno != EINTR) die("sendmmsg");
    int datagrams = 0;
    for (int nth = 0; nth < taken; nth++) datagrams += vectors[nth].iov_len / size;
    sent += datagrams;
    credit -= datagrams;
  }
  double took = time - steady;
  printf("{\"sent\":%ld,\"seconds\":%.6f,\"rate\":%.1f}\n", sent, time - begin, (sent - before) / took);
}
