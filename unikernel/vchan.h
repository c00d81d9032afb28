/*
 * One end of a vchan over a control page that is mapped already: bytes, notification, life and end marks, as in
 * protocol/vchan.md. Never waits, allocates nothing, and knows no hypercall but event_send.
 */
#ifndef VCHAN_H
#define VCHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol/conduit-protocol.h"
#include "ring.h"
#include "xen.h"

struct vchan_orders {
    uint16_t left, right; /* client to server, server to client */
};

struct vchan {
    volatile uint8_t *page;
    struct ring in, out;
    uint32_t port;
    domid_t peer;
    bool server;
    bool came;    /* the client has connected; true from the start in a client */
    bool gone;    /* the peer's live byte has said so; never taken back (I7) */
    bool corrupt; /* the peer wrote what cannot be */
    bool ended;   /* we have written our last byte */
    uint8_t peer_state; /* the highest of its end states seen (I8) */
    uint8_t owed;       /* VCHAN_NOTIFY bits: what the peer may want to be told since the last vchan_signal */
    uint32_t unsignalled; /* bytes moved since then */
    uint32_t marks; /* offset of the end marks; 0: the page has none */
};

/* What vchan_receive, and vchan_send where it says so, returns beside a number of bytes. */
enum { VCHAN_WAIT = 0, VCHAN_END = -1, VCHAN_RESET = -2, VCHAN_CORRUPT = -3 };

/* A server's orders for rings of so many bytes each way: both in the control page, or both in pages of their own. */
struct vchan_orders vchan_orders_for(uint32_t bytes);
/* Granted pages of a ring of this order; 0: it lies in the control page. */
uint32_t vchan_ring_pages(uint16_t order);

/* Fills in a server's page, which is zero but for grants[]. The channel is zero but for `port` and `peer`. */
void vchan_serve(struct vchan *channel, volatile uint8_t *page, struct vchan_orders orders, uint8_t *left, uint8_t *right);

/* What a client copies from the page before it maps the rings. */
struct vchan_offer {
    struct vchan_orders orders;
    uint32_t references[2 << (CONDUIT_VCHAN_ORDER_MAX - CONDUIT_VCHAN_ORDER_PAGE)];
    uint32_t left_pages, right_pages;
};
/* Copies and checks (I9); false: no channel can be made of it. */
bool vchan_examine(const volatile uint8_t *page, struct vchan_offer *offer);
/* The client's end over rings that are mapped; NULL where the ring lies in the page. Says that it lives, and kicks. The channel
 * is zero but for `port` and `peer`. */
void vchan_connect(struct vchan *channel, volatile uint8_t *page, const struct vchan_offer *offer, uint8_t *left,
                   uint8_t *right);

/* Whether the client of a server has connected, if only for a moment. */
bool vchan_came(struct vchan *channel);
/* Whether vchan_receive (vchan_send) would return something else than VCHAN_WAIT. */
bool vchan_readable(struct vchan *channel);
bool vchan_writable(struct vchan *channel);
/* Whether the peer has read everything we have written, or never will. */
bool vchan_drained(struct vchan *channel);
/* Whether the peer knows how to end one direction (protocol/vchan.md, End marks). */
bool vchan_half_closes(struct vchan *channel);

/* Bytes, or one of VCHAN_*. VCHAN_END and VCHAN_RESET come when everything was read (I6). */
long vchan_receive(struct vchan *channel, void *target, uint32_t room);
long vchan_send(struct vchan *channel, const void *source, uint32_t bytes);
/* No more will be written. Tells the peer if it knows end marks. */
void vchan_end(struct vchan *channel);
/* Says dead, and kicks. */
void vchan_close(struct vchan *channel);

/* Kicks the peer if it asked to be told of what was read or written since the last time. */
void vchan_signal(struct vchan *channel);
/* Asks the peer to tell us: VCHAN_NOTIFY bits. Look at the indices again afterwards (I5). */
void vchan_request(struct vchan *channel, uint8_t bits);

#endif
