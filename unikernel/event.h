/* Event channels by polling: nothing is ever delivered, the guest looks when it has nothing else to do. */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "xen.h"

/* 2-level event channels of a 64-bit guest: ports below 4096 (xen/include/public/event_channel.h). */
#define EVENT_PORT_MAX 4095
/* Xen's own limit for SCHEDOP_poll (xen:xen/common/sched/core.c). */
#define EVENT_PORTS_POLLED 128

void event_init(unsigned long *pending);

/* A port that `peer` may bind; 0: none. */
uint32_t event_offer(domid_t peer);
/* A port bound to one that `peer` offers; 0: it offers none there. */
uint32_t event_bind(domid_t peer, uint32_t port);
void event_close(uint32_t port);
void event_send(uint32_t port);

/* Which ports end event_sleep, until event_unwatch; at most EVENT_PORTS_POLLED. */
void event_watch(uint32_t port);
void event_unwatch(uint32_t port);

/* Call before looking at what events may tell of: event_sleep then returns for whatever came after this. */
void event_clear(void);
/* Until a watched port has an event, or until Xen's time is `deadline_ns` (0: for as long as it takes). */
void event_sleep(uint64_t deadline_ns);

#endif
