/* What the guest serves, as its command line says, and how it starts and stops. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Relative to the guest's own path in xenstore. */
#define READY_KEY "data/jitsu/ready"

/* The body of the first fiber: serves what the command line names and writes the ready key. */
void service_start(void *unused);
/* Xen's time when everything that a client needs was published, or on its way to xenstore; 0: not yet. */
uint64_t service_ready_ns(void);
/* Whether the guest was told to stop: nothing new is to begin. A question for fiber_wait. */
bool service_stopping(void *unused);
/* Bytes of each ring of a server. */
uint32_t service_ring_bytes(void);

/* libxenvchan's own rendezvous with domain 0, at data/vchan/0/PORT (direct.c): its keys are on their way when this returns. */
void direct_start(const char *port);

#endif
