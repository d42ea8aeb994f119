/* send-plain ADDRESS PORT SIZE SECONDS: one send() after another; what a plain program sends at most. */
#include "common.h"

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int fd = connected_socket(argv[1], argv[2]);
  static char payload[MOST_BYTES];
  int size = atoi(argv[3]);
  double begin = now(), end = begin + atof(argv[4]), time = begin;
  long sent = 0;
  while (time < end) {
    /* The clock costs little, and less when it is not read each time. */
    for (int nth = 0; nth < 16; nth++) sent += send(fd, payload, size, 0) == size;
    time = now();
  }
  printf("{\"sent\":%ld,\"seconds\":%.6f}\n", sent, time - begin);
}
