/*
 * receive ADDRESS plain|gro: receives with recvmmsg(); with `gro` the kernel coalesces datagrams (UDP_GRO). Writes on
 * SIGTERM how many datagrams came.
 */
#include "common.h"
#include <netinet/udp.h>

#define MESSAGES 64
#define ROOM 65536

static volatile sig_atomic_t ending;

static void on_end(int signal) {
  (void)signal;
  ending = 1;
}

/* Returns how many datagrams a message holds. The kernel tells the size of each of them; the last may be shorter. */
static long count_datagrams(struct mmsghdr *message) {
  struct msghdr *header = &message->msg_hdr;
  for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
    if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) continue;
    int segment = *(int *)CMSG_DATA(control);
    return (message->msg_len + segment - 1) / segment;
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct sigaction action = {.sa_handler = on_end};
  sigaction(SIGTERM, &action, NULL);
  int fd = bound_socket(argv[1]);
  int on = strcmp(argv[2], "gro") == 0;
  if (on && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
  /* A signal that comes just before a call does not interrupt it, so each call ends after 100 ms. */
  struct timeval patience = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  static char payloads[MESSAGES][ROOM];
  static char controls[MESSAGES][CMSG_SPACE(sizeof(int))];
  static struct mmsghdr messages[MESSAGES];
  static struct iovec vectors[MESSAGES];
  long received = 0;
  for (int left = 1; left;) {
    for (int nth = 0; nth < MESSAGES; nth++) {
      vectors[nth] = (struct iovec){payloads[nth], ROOM};
      messages[nth].msg_hdr = (struct msghdr){.msg_iov = &vectors[nth], .msg_iovlen = 1};
      messages[nth].msg_hdr.msg_control = controls[nth];
      messages[nth].msg_hdr.msg_controllen = sizeof controls[nth];
    }
    int count = recvmmsg(fd, messages, MESSAGES, ending ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) die("recvmmsg");
    for (int nth = 0; nth < count; nth++) received += count_datagrams(&messages[nth]);
    left = count > 0 || !ending;
  }
  printf("{\"received\":%ld}\n", received);
}
