/* echo-batch ADDRESS: an echo server that sends back with one call what it received with one call, until it is killed. */
#include "common.h"

#define BATCH 64

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int fd = bound_socket(argv[1]);
  static char payloads[BATCH][MOST_BYTES];
  static struct sockaddr_in names[BATCH];
  static struct iovec vectors[BATCH];
  static struct mmsghdr messages[BATCH];
  for (;;) {
    for (int nth = 0; nth < BATCH; nth++) {
      vectors[nth] = (struct iovec){payloads[nth], MOST_BYTES};
      messages[nth].msg_hdr = (struct msghdr){
          .msg_name = &names[nth], .msg_namelen = sizeof names[nth], .msg_iov = &vectors[nth], .msg_iovlen = 1};
    }
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int nth = 0; nth < received; nth++) vectors[nth].iov_len = messages[nth].msg_len;
    for (int from = 0; from < received;) {
      int sent = sendmmsg(fd, messages + from, received - from, 0);
      from += sent > 0 ? sent : 1;
    }
  }
}
