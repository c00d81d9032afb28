/*
 * Xenstore's messages in the page that guest and store share: xen/include/public/io/xs_wire.h. Two rings of 1 KiB, and
 * messages in them that may be longer. Knows nothing of what they mean.
 */
#ifndef STORE_WIRE_H
#define STORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol/conduit-protocol.h"

struct store_header {
    uint32_t type, id, transaction, length;
};

struct store_wire {
    volatile uint8_t *page;
    uint32_t sent, taken; /* our own indices */
    uint32_t have;        /* bytes of the message under way: header and body */
    bool kick;            /* the store has to be told that we moved an index */
    bool broken;          /* the store's indices or lengths cannot be: nothing more is sent or read */
    struct {
        struct store_header header;
        char body[CONDUIT_XS_PAYLOAD_MAX + 1]; /* ends with NUL */
    } message;
};

void store_wire_init(struct store_wire *wire, volatile uint8_t *page);

/* `path`, NUL, and `rest`, as one message; false: it does not fit now. */
bool store_wire_send(struct store_wire *wire, struct store_header header, const char *path, const char *rest);

/* True: `message` is whole, until the next call; of a body that is too long the beginning. */
bool store_wire_receive(struct store_wire *wire);
/* How many bytes of the body there are. */
uint32_t store_wire_body(const struct store_wire *wire);

#endif
