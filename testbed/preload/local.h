/*
 * libxengnttab and libxenevtchn over Conduit's local hypervisor, for LD_PRELOAD: Debian's own libxenvchan then works on any
 * Linux machine. What the parts know of each other; who speaks to the hypervisor is control.c and attachment.c, who notices deaths peers.c.
 *
 * Threads: one helper thread reads the control connection and the peers' sockets. All state is behind local_lock(), but for
 * what xenevtchn_notify and xenevtchn_pending look at, which only their handle's own caller changes.
 */
#ifndef CONDUIT_LOCAL_H
#define CONDUIT_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conduit-protocol.h"

/* The other definitions of the process's symbols stay its own. */
#define EXPORT __attribute__((visibility("default")))

/* Most descriptors in one message (linux/net/scm.h, SCM_MAX_FD). */
#define MAX_FDS 253
#define MAX_WORDS ((CONDUIT_CONTROL_MAX_BYTES - CONDUIT_CONTROL_HEADER_BYTES) / 4)

/* A message either way; the receiver owns the descriptors. */
struct message {
    uint16_t type, status;
    uint32_t sequence;
    size_t words, fds;
    bool fds_lost; /* there were more, for which this process had no room: it has none of them */
    uint32_t word[MAX_WORDS];
    int fd[MAX_FDS];
};

/* message.c: one datagram. send: 0, or -1 with errno (EAGAIN: the queue is full). receive: 1, 0 when nothing is there, -1 at
 * the end or for what is no message. */
int message_send(int socket, const struct message *message);
int message_receive(int socket, struct message *message);
void message_close_fds(const struct message *message);

/* hypervisor.c: a connected control socket, or -1 with errno. Starts one where CONDUIT_HYPERVISOR says how. */
const char *runtime_directory(void);
bool hypervisor_can_be_started(void);
void hypervisor_start(void);
int hypervisor_connect(void);

/* control.c, attachment.c; all with the lock held, which a request gives up while it waits. */
void local_lock(void);
void local_unlock(void);
/* 0: `message` holds the answer, of the hypervisor that is there still. Or -1 with errno: refused, lost, or none to be had. */
int control_request(struct message *message);
/* Tell, without an answer. */
void control_post(uint16_t type, uint32_t word);
uint32_t control_domid(void);
/* Attach if need be; -1 with errno. */
int control_ensure(void);
/* For the helper thread: watch a descriptor, which comes back as peer_hung_up(id). */
int control_watch(int fd, uint64_t id);
/* For re-attachment, in the helper thread. */
int control_exchange(struct message *message);

/* peers.c: processes met, by the socket pairs whose hang-up is their death. */
void peer_met(uint32_t domid, int fd);
void peer_missed(uint32_t domid);
void peer_hung_up(uint64_t id);
/* Whose death is noticed under `domid`; 0 when it has died or was missed. */
uint64_t peer_find(uint32_t domid);

/* ports.c */
struct port;
struct port *port_find(uint32_t number);
void port_retain(struct port *port);
void port_release(struct port *port);
void port_kick(struct port *port);
void ports_on_death(uint32_t domid);
void ports_register_again(void);

/* shares.c, mappings.c */
void share_mapped(uint32_t first_gref, uint32_t offset, uint32_t map_id, uint32_t domid);
void share_unmapped(uint32_t first_gref, uint32_t map_id);
void shares_on_death(uint64_t peer);
void shares_register_again(void);
void mappings_on_death(uint64_t peer);

/* files.c: sealed files of pages. */
int pages_create(size_t pages);
/* Bytes of a peer's file, or -1 with errno: EPERM when it could shrink under a mapping. */
int64_t pages_sealed_bytes(int fd);

#endif
