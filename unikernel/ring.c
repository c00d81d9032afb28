/* A ring: payload first, then the index (I2); what the peer says about its own is never believed (I4). */
#include "ring.h"

#include "text.h"

/* Bytes between the writer's and the reader's index, if they can be. */
static int32_t between(const struct ring *ring, uint32_t produced, uint32_t consumed)
{
    const uint32_t bytes = produced - consumed;
    return bytes <= ring->size ? (int32_t)bytes : RING_CORRUPT;
}

int32_t ring_ready(const struct ring *ring)
{
    return between(ring, __atomic_load_n(ring->peer, __ATOMIC_SEQ_CST), ring->position);
}

int32_t ring_space(const struct ring *ring)
{
    const int32_t used = between(ring, ring->position, __atomic_load_n(ring->peer, __ATOMIC_SEQ_CST));
    return used < 0 ? used : (int32_t)ring->size - used;
}

/* The piece up to the ring's end; the rest begins at its start. */
static uint32_t first_piece(const struct ring *ring, uint32_t bytes)
{
    const uint32_t to_end = ring->size - (ring->position & (ring->size - 1));
    return bytes < to_end ? bytes : to_end;
}

void ring_take(struct ring *ring, void *target, uint32_t bytes)
{
    const uint32_t piece = first_piece(ring, bytes);
    memcpy(target, ring->bytes + (ring->position & (ring->size - 1)), piece);
    memcpy((uint8_t *)target + piece, ring->bytes, bytes - piece);
    ring->position += bytes;
}

void ring_put(struct ring *ring, const void *source, uint32_t bytes)
{
    const uint32_t piece = first_piece(ring, bytes);
    memcpy(ring->bytes + (ring->position & (ring->size - 1)), source, piece);
    memcpy(ring->bytes, (const uint8_t *)source + piece, bytes - piece);
    ring->position += bytes;
}

void ring_publish(const struct ring *ring)
{
    __atomic_store_n(ring->own, ring->position, __ATOMIC_SEQ_CST);
}
