/* The common part of the programs of the bench: addresses, clock, errors. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* The largest payload over IPv4, in bytes. */
#define MOST_BYTES 65507
/* How many segments a message may have on Linux (UDP_MAX_SEGMENTS). */
#define MOST_SEGMENTS 128
/* Size of both kernel buffers, in bytes, as in the other programs of the bench that have an option for it. */
#define BUFFER_BYTES (4 << 20)

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

/* Returns the seconds of a monotonic clock. */
static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static inline int open_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) die("socket");
  int bytes = BUFFER_BYTES;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return fd;
}

static inline struct sockaddr_in ipv4(const char *address, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
    fprintf(stderr, "not an IPv4 address: %s\n", address);
    exit(2);
  }
  return name;
}

/* Opens a socket that is connected to the address. */
static inline int connected_socket(const char *address, const char *port) {
  int fd = open_socket();
  struct sockaddr_in name = ipv4(address, atoi(port));
  if (connect(fd, (struct sockaddr *)&name, sizeof name) != 0) die("connect");
  return fd;
}

/* Opens a socket on a port that the kernel chooses, and writes the port to stderr. */
static inline int bound_socket(const char *address) {
  int fd = open_socket();
  struct sockaddr_in name = ipv4(address, 0);
  socklen_t length = sizeof name;
  if (bind(fd, (struct sockaddr *)&name, length) != 0) die("bind");
  getsockname(fd, (struct sockaddr *)&name, &length);
  fprintf(stderr, "listening on %s:%d\n", address, ntohs(name.sin_port));
  return fd;
}
