/*
 * A library for LD_PRELOAD. It makes setsockopt(2) fail with ENOPROTOOPT for the options that the variable
 * FAILING_OPTIONS names, as " LEVEL:OPTION LEVEL:OPTION ", with a space around each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
  static int (*real)(int, int, int, const void *, socklen_t);
  const char *failing = getenv("FAILING_OPTIONS");
  char name[32];
  if (real == NULL) real = (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
  snprintf(name, sizeof name, " %d:%d ", level, option);
  if (failing != NULL && strstr(failing, name) != NULL) {
    errno = ENOPROTOOPT;
    return -1;
  }
  return real(fd, level, option, value, length);
}
