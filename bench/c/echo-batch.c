/*
 * echo-batch ADDRESS plain|gro: an echo server that sends back with one call what it received with one call, until it is killed.
 * With `gro`, datagrams that the kernel coalesced (UDP_GRO) leave as segments of one message (UDP_SEGMENT).
 */
#include "common.h"
#include <netinet/udp.h>

#define BATCH 32
#define ROOM 65536

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int fd = bound_socket(argv[1]), on = strcmp(argv[2], "gro") == 0;
  if (on && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) die("UDP_GRO");
  static char payloads[BATCH][ROOM], controls[BATCH][CMSG_SPACE(sizeof(int))];
  static struct sockaddr_in names[BATCH];
  static struct iovec vectors[BATCH];
  static struct mmsghdr messages[BATCH];
  for (;;) {
    for (int nth = 0; nth < BATCH; nth++) {
      vectors[nth] = (struct iovec){payloads[nth], ROOM};
      messages[nth].msg_hdr = (struct msghdr){.msg_name = &names[nth],
                                              .msg_namelen = sizeof names[nth],
                                              .msg_iov = &vectors[nth],
                                              .msg_iovlen = 1,
                                              .msg_control = controls[nth],
                                              .msg_controllen = sizeof controls[nth]};
    }
    int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    for (int nth = 0; nth < received; nth++) {
      struct msghdr *header = &messages[nth].msg_hdr;
      struct cmsghdr *control = CMSG_FIRSTHDR(header);
      vectors[nth].iov_len = messages[nth].msg_len;
      if (control == NULL || control->cmsg_level != IPPROTO_UDP) {
        header->msg_controllen = 0;
        continue;
      }
      uint16_t size = *(int *)CMSG_DATA(control);
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof size);
      memcpy(CMSG_DATA(control), &size, sizeof size);
      header->msg_controllen = CMSG_SPACE(sizeof size);
    }
    for (int from = 0; from < received;) {
      int sent = sendmmsg(fd, messages + from, received - from, 0);
      from += sent > 0 ? sent : 1;
    }
  }
}
