/*
 * The daemon's file system: whatever it opens below /var, /run, /proc/xen and /dev/xen lies in the machine's own
 * directory instead, so that it needs no root, meets no other daemon and leaves nothing behind. Also its listen(2):
 * the machine hears when the socket takes connections.
 */
#include "plain_machine.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* The C library's own function, which the one that is being defined hides. */
#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name)

static const char *const kOwn[] = {"/var/", "/run/", "/proc/xen/", "/dev/xen/"};

/* `path`, or where it lies in the machine's directory, written to `place`. */
static const char *redirected(const char *path, char place[PATH_MAX]) {
  for (size_t i = 0; i < sizeof kOwn / sizeof *kOwn; i++) {
    if (strncmp(path, kOwn[i], strlen(kOwn[i])) != 0) continue;
    const int length = snprintf(place, PATH_MAX, "%s%s", machine_directory(), path);
    if (length < PATH_MAX) return place;
    fprintf(stderr, "plain machine: %s is too deep\n", machine_directory());
    abort();
  }
  return path;
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    char place[PATH_MAX]; \
    va_list rest; \
    va_start(rest, flags); \
    const mode_t mode = mode_of(flags, rest); \
    va_end(rest); \
    return real(redirected(path, place), flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define WITH_PATH(result, name, parameters, ...) \
  result name parameters { \
    REAL(name); \
    char place[PATH_MAX]; \
    return real(redirected(path, place), ##__VA_ARGS__); \
  }
WITH_PATH(FILE *, fopen, (const char *path, const char *mode), mode)
WITH_PATH(int, stat, (const char *restrict path, struct stat *restrict status), status)
WITH_PATH(int, stat64, (const char *restrict path, struct stat64 *restrict status), status)
WITH_PATH(int, lstat64, (const char *restrict path, struct stat64 *restrict status), status)
WITH_PATH(int, access, (const char *path, int mode), mode)
WITH_PATH(int, chmod, (const char *path, mode_t mode), mode)
WITH_PATH(int, mkdir, (const char *path, mode_t mode), mode)
WITH_PATH(int, chdir, (const char *path))
WITH_PATH(int, unlink, (const char *path))
WITH_PATH(DIR *, opendir, (const char *path))

int rename(const char *from, const char *to) {
  REAL(rename);
  char places[2][PATH_MAX];
  return real(redirected(from, places[0]), redirected(to, places[1]));
}

/* The address of a unix socket in the machine's directory; any other as it is. */
static int redirect_address(const struct sockaddr *address, socklen_t bytes, struct sockaddr_un *place) {
  memset(place, 0, sizeof *place);
  if (bytes > sizeof *place) return errno = EINVAL, -1;
  memcpy(place, address, bytes);
  if (place->sun_family != AF_UNIX || place->sun_path[0] == '\0') return 0;
  char path[PATH_MAX];
  const char *target = redirected(((const struct sockaddr_un *)address)->sun_path, path);
  if (strlen(target) >= sizeof place->sun_path) return errno = ENAMETOOLONG, -1;
  strcpy(place->sun_path, target);
  return 0;
}

#define WITH_ADDRESS(name) \
  int name(int fd, const struct sockaddr *address, socklen_t bytes) { \
    REAL(name); \
    struct sockaddr_un place; \
    if (address->sa_family != AF_UNIX) return real(fd, address, bytes); \
    if (redirect_address(address, bytes, &place) < 0) return -1; \
    return real(fd, (const struct sockaddr *)&place, sizeof place); \
  }
WITH_ADDRESS(bind)
WITH_ADDRESS(connect)

int listen(int fd, int backlog) {
  REAL(listen);
  const int result = real(fd, backlog);
  if (result == 0) machine_raise(PORT_LISTENING);
  return result;
}

/* oxenstored asks for a million descriptors, which takes privileges. */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  (void)resource, (void)limit;
  return 0;
}

/* The system's log is not the machine's. */
void openlog(const char *name, int options, int facility) { (void)name, (void)options, (void)facility; }

void __syslog_chk(int priority, int flag, const char *format, ...) {
  (void)priority, (void)flag;
  va_list rest;
  va_start(rest, format);
  vfprintf(stderr, format, rest);
  va_end(rest);
  fputc('\n', stderr);
}
