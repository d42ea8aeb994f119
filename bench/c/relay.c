/*
 * relay ADDRESS TARGET_ADDRESS TARGET_PORT
 *
 * Passes datagrams on between clients and a target, until it is killed: recvmmsg(), sendmmsg() and epoll. Each client has a
 * socket of its own, connected to the target. Sessions never end.
 */
#define _GNU_SOURCE
#include "common.h"
#include <sys/epoll.h>

#define BATCH 64
#define MOST_SESSIONS 16384
#define SLOTS 65536

struct session {
  struct sockaddr_in client;
  int fd;
};

static struct session sessions[MOST_SESSIONS];
static int slots[SLOTS], count;
static char payloads[BATCH][MOST_BYTES];
static struct sockaddr_in names[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

/* Returns the place of a client in the table: its session, or an empty slot. */
static int *slot_of(struct sockaddr_in *client) {
  uint32_t hash = (client->sin_addr.s_addr * 2654435761u) ^ (client->sin_port * 40503u);
  for (uint32_t at = (hash ^ (hash >> 16)) % SLOTS;; at = (at + 1) % SLOTS) {
    struct session *known = slots[at] ? &sessions[slots[at] - 1] : NULL;
    if (!known) return &slots[at];
    if (known->client.sin_port == client->sin_port && known->client.sin_addr.s_addr == client->sin_addr.s_addr) return &slots[at];
  }
}

static int receive(int fd, int with_names) {
  for (int nth = 0; nth < BATCH; nth++) {
    vectors[nth] = (struct iovec){payloads[nth], MOST_BYTES};
    messages[nth].msg_hdr = (struct msghdr){
        .msg_name = with_names ? &names[nth] : NULL,
        .msg_namelen = with_names ? sizeof names[nth] : 0,
        .msg_iov = &vectors[nth],
        .msg_iovlen = 1,
    };
  }
  return recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
}

/* Sends the received messages from..to, to one address or to the peer of the socket. */
static void pass_on(int fd, int from, int to, struct sockaddr_in *name) {
  for (int nth = from; nth < to; nth++) {
    vectors[nth].iov_len = messages[nth].msg_len;
    messages[nth].msg_hdr.msg_name = name;
    messages[nth].msg_hdr.msg_namelen = name ? sizeof *name : 0;
  }
  while (from < to) {
    int sent = sendmmsg(fd, messages + from, to - from, 0);
    from += sent > 0 ? sent : 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int listener = bound_socket(argv[1]), poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 0}, events[BATCH];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(poll, events, BATCH, -1);
    for (int which = 0; which < ready; which++) {
      int number = events[which].data.u32;
      if (number > 0) {
        struct session *session = &sessions[number - 1];
        int received = receive(session->fd, 0);
        if (received > 0) pass_on(listener, 0, received, &session->client);
        continue;
      }
      int received = receive(listener, 1);
      for (int from = 0, to; from < received; from = to) {
        struct sockaddr_in client = names[from];
        for (to = from + 1; to < received && names[to].sin_port == client.sin_port && names[to].sin_addr.s_addr == client.sin_addr.s_addr; to++);
        int *slot = slot_of(&client);
        if (!*slot) {
          if (count == MOST_SESSIONS) continue;
          struct session *session = &sessions[count++];
          session->client = client;
          session->fd = connected_socket(argv[2], argv[3]);
          *slot = count;
          event.data.u32 = count;
          epoll_ctl(poll, EPOLL_CTL_ADD, session->fd, &event);
        }
        pass_on(sessions[*slot - 1].fd, from, to, NULL);
      }
    }
  }
}
