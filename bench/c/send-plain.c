/* send-plain ADDRESS PORT SIZE SECONDS: calls send() in a loop, as a plain program does. */
#include "common.h"

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int fd = connected_socket(argv[1], argv[2]);
  static char payload[MOST_BYTES];
  int size = atoi(argv[3]);
  double begin = now(), end = begin + atof(argv[4]), time = begin;
  long sent = 0;
  while (time < end) {
    /* Reading the clock costs a little time, so this reads it after every 16 sends. */
    for (int nth = 0; nth < 16; nth++) sent += send(fd, payload, size, 0) == size;
    time = now();
  }
  printf("{\"sent\":%ld,\"seconds\":%.6f}\n", sent, time - begin);
}
