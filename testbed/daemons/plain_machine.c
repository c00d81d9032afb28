/*
 * What Debian's xenstored and oxenstored ask of Xen, answered without it: which domains live, the pages of their rings,
 * their event channels. Preloaded into the daemon, which is the real one in everything else.
 */
#include "plain_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

static int evtchn = -1;

const char *machine_directory(void) {
  const char *directory = getenv("CONDUIT_MACHINE");
  if (directory != NULL) return directory;
  fputs("plain machine: CONDUIT_MACHINE is not set\n", stderr);
  _exit(1);
}

__attribute__((constructor)) static void plug_in(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/evtchn", machine_directory());
  evtchn = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (length < (int)sizeof address.sun_path && connect(evtchn, (struct sockaddr *)&address, sizeof address) == 0) return;
  perror("plain machine: evtchn");
  _exit(1);
}

void machine_raise(uint32_t port) {
  /* Without its machine a daemon has nothing to do. */
  if (send(evtchn, &port, sizeof port, MSG_NOSIGNAL) != sizeof port) _exit(0);
}

/* The page of a domain that lives; -1 of one that does not. */
static int domain_page(uint32_t domid) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/domain/%u", machine_directory(), domid);
  return open(path, O_RDWR | O_CLOEXEC);
}

static int lives(uint32_t domid) {
  if (domid == 0) return 1;
  const int fd = domain_page(domid);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static void *map_ring(uint32_t domid, int protection) {
  const int fd = domain_page(domid);
  if (fd < 0) return NULL;
  void *page = mmap(NULL, XC_PAGE_SIZE, protection, MAP_SHARED, fd, 0);
  close(fd);
  return page == MAP_FAILED ? NULL : page;
}

/* A handle that is not NULL is all that the daemons want. */
#define HANDLE ((void *)&evtchn)

xc_interface *xc_interface_open(xentoollog_logger *log, xentoollog_logger *dom_log, unsigned flags) {
  (void)log, (void)dom_log, (void)flags;
  return HANDLE;
}

int xc_interface_close(xc_interface *xch) { return (void)xch, 0; }

/* C xenstored asks about one domain at a time, and takes the next one that lives for a no. */
int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned max, xc_dominfo_t *info) {
  (void)xch;
  if (max < 1 || !lives(first)) return 0;
  *info = (xc_dominfo_t){.domid = first, .running = 1};
  return 1;
}

/* oxenstored's question, the same one. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max, xc_domaininfo_t *info) {
  (void)xch;
  if (max < 1 || !lives(first)) return 0;
  memset(info, 0, sizeof *info);
  info->domain = first;
  info->flags = XEN_DOMINF_running;
  return 1;
}

/* oxenstored maps a guest's ring by its frame; here as there it is the domain's one ring. */
void *xc_map_foreign_range(xc_interface *xch, uint32_t domid, int size, int protection, unsigned long mfn) {
  (void)xch, (void)mfn;
  return size == XC_PAGE_SIZE ? map_ring(domid, protection) : NULL;
}

const xc_error *xc_get_last_error(xc_interface *xch) {
  static const xc_error kNoDomain = {.code = XC_INTERNAL_ERROR, .message = "plain machine: no such domain"};
  return (void)xch, &kNoDomain;
}

const char *xc_error_code_to_desc(int code) { return (void)code, "plain machine"; }

xengnttab_handle *xengnttab_open(xentoollog_logger *log, unsigned flags) { return (void)log, (void)flags, HANDLE; }

int xengnttab_close(xengnttab_handle *xgt) { return (void)xgt, 0; }

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count) { return (void)xgt, (void)count, 0; }

/* C xenstored maps a guest's ring by the grant that is reserved for it. */
void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int protection) {
  (void)xgt;
  return ref == GNTTAB_RESERVED_XENSTORE ? map_ring(domid, protection) : NULL;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count) {
  return (void)xgt, munmap(start, (size_t)count * XC_PAGE_SIZE);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *log, unsigned flags) { return (void)log, (void)flags, HANDLE; }

xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *log, int fd, unsigned flags) {
  return (void)log, (void)fd, (void)flags, HANDLE;
}

int xenevtchn_close(xenevtchn_handle *xce) { return (void)xce, 0; }

int xenevtchn_fd(xenevtchn_handle *xce) { return (void)xce, evtchn; }

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port) { return (void)xce, machine_raise(port), 0; }

/* One number names both ends of a channel. */
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t port) {
  return (void)xce, (void)domid, port;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq) {
  return (void)xce, (void)virq, PORT_DOM_EXC;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce) {
  uint32_t port;
  (void)xce;
  const ssize_t got = recv(evtchn, &port, sizeof port, MSG_WAITALL);
  if (got == sizeof port) return (xenevtchn_port_or_error_t)port;
  /* The machine was switched off. */
  _exit(0);
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port) { return (void)xce, (void)port, 0; }

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port) { return (void)xce, (void)port, 0; }
