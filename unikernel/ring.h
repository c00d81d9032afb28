/*
 * One direction of a vchan: a queue of bytes with free-running indices (protocol/vchan.md, Indices). The peer writes one
 * index; it is read once for each use and checked. Our own index and the size are private copies.
 */
#ifndef RING_H
#define RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *bytes;
    uint32_t size; /* a power of 2 */
    uint32_t position; /* our index */
    volatile uint32_t *own, *peer; /* both indices, as they are in the control page */
};

/* What ring_ready and ring_space say where the peer's index cannot be. */
#define RING_CORRUPT (-1)

/* Bytes to read. For the reader. */
int32_t ring_ready(const struct ring *ring);
/* Room for bytes to write. For the writer. */
int32_t ring_space(const struct ring *ring);

/* At most as many as are ready, or have room. They publish nothing. */
void ring_take(struct ring *ring, void *target, uint32_t bytes);
void ring_put(struct ring *ring, const void *source, uint32_t bytes);
/* Lets the peer see what was taken or put. */
void ring_publish(const struct ring *ring);

#endif
