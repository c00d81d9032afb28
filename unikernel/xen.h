/*
 * Xen's interface, as far as the guest uses it: numbers and structures of xen/include/public/{xen,sched,event_channel,
 * grant_table}.h, the same for every 64-bit architecture. What only one architecture needs lies with it.
 */
#ifndef XEN_H
#define XEN_H

#include <stdint.h>

typedef uint16_t domid_t;
#define DOMID_SELF 0x7ff0

enum hypercall {
    HYPERCALL_MMU_UPDATE = 1,
    HYPERCALL_MEMORY_OP = 12,
    HYPERCALL_UPDATE_VA_MAPPING = 14,
    HYPERCALL_GRANT_TABLE_OP = 20,
    HYPERCALL_SCHED_OP = 29,
    HYPERCALL_EVENT_CHANNEL_OP = 32,
    HYPERCALL_HVM_OP = 34,
};

/* xen/include/public/sched.h */
enum { SCHEDOP_SHUTDOWN = 2, SCHEDOP_POLL = 3 };
enum { SHUTDOWN_POWEROFF = 0, SHUTDOWN_REBOOT = 1, SHUTDOWN_CRASH = 3 };

struct sched_shutdown {
    uint32_t reason;
};

struct sched_poll {
    const uint32_t *ports; /* a guest handle is a pointer of 64 bits */
    uint32_t count;
    uint64_t timeout_ns; /* absolute; 0: none */
};

/* xen/include/public/event_channel.h */
enum { EVTCHNOP_BIND_INTERDOMAIN = 0, EVTCHNOP_CLOSE = 3, EVTCHNOP_SEND = 4, EVTCHNOP_ALLOC_UNBOUND = 6 };

struct evtchn_bind_interdomain {
    domid_t remote_domid;
    uint32_t remote_port;
    uint32_t local_port; /* out */
};

struct evtchn_alloc_unbound {
    domid_t domid;
    domid_t remote_domid;
    uint32_t port; /* out */
};

struct evtchn_port {
    uint32_t port;
};

/* xen/include/public/grant_table.h, version 1 of the table */
struct grant_entry {
    uint16_t flags;
    domid_t domid;
    uint32_t frame;
};

enum { GTF_PERMIT_ACCESS = 1, GTF_READING = 1 << 3, GTF_WRITING = 1 << 4 };
enum { GNTTABOP_MAP_GRANT_REF = 0, GNTTABOP_UNMAP_GRANT_REF = 1, GNTTABOP_SETUP_TABLE = 2 };
enum { GNTMAP_HOST_MAP = 1 << 1, GNTMAP_READONLY = 1 << 2 };

struct gnttab_map_grant_ref {
    uint64_t host_addr;
    uint32_t flags;
    uint32_t ref;
    domid_t domid;
    int16_t status; /* out */
    uint32_t handle; /* out */
    uint64_t dev_bus_addr; /* out */
};

struct gnttab_unmap_grant_ref {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    uint32_t handle;
    int16_t status; /* out */
};

struct gnttab_setup_table {
    domid_t domid;
    uint32_t frames;
    int16_t status; /* out */
    uint64_t *frame_list;
};

#endif
