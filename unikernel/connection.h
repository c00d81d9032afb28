/*
 * A connection: a vchan with its pages, grants and port, and the waits for it. How two ends find each other is the business
 * of direct.c and of the conduit files; what app.h declares of connections is here too.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "app.h"
#include "vchan.h"

#define CONNECTIONS_MAX 32
/* Of these, how many one guest may hold, with those whose pages it does not let go; domain 0 may hold all. */
#define CONNECTIONS_A_GUEST (CONNECTIONS_MAX / 2)
#define CONNECTION_PORT_BYTES 64
/* Rings of a server where nobody says otherwise. */
#define RING_BYTES_DEFAULT 65536u

struct connection {
    bool used;
    uint8_t wants; /* VCHAN_NOTIFY bits: what somebody waits for */
    struct vchan channel;
    uint8_t *page;  /* the control page; ours where we serve, mapped where we are the client */
    uint8_t *rings[2]; /* left and right; where we serve, one behind the other */
    uint32_t ring_pages[2];
    uint32_t page_reference, ring_reference; /* where we serve */
    char port[CONNECTION_PORT_BYTES];
};

/* Where a channel has its port and the reference of its page from: by itself, or from whoever built the domain. */
struct provision {
    uint32_t port, reference; /* 0: by itself */
};

/* A server's end for `peer`; NULL: there are no connections, pages, references or ports for one more. */
struct connection *connection_offer(domid_t peer, uint32_t ring_bytes, struct provision provision);
/* A client's end; NULL: there is no channel at these keys, or no room for one. */
struct connection *connection_join(domid_t server, uint32_t reference, uint32_t port);

/* A question for fiber_wait: whether the client has come. Until then it wants to be told. */
bool connection_came(void *connection);

/* Ends it as app.h promises, from whatever state it is in, and gives back what it had. Waits for the peer to let go. */
void connection_finish(struct connection *connection);
/* Gives back what it had, at once dead for the peer. Waits for the peer to let go. */
void connection_release(struct connection *connection);

/* Runs app() on it and finishes it: the body of a fiber. */
void connection_run(void *connection);

/* How many there are whose peer is that domain. */
uint32_t connection_count(domid_t peer);
/* Breaks off all of that domain's. */
void connection_peer_died(domid_t peer);

/* The guest is to stop: whoever waits to receive is told that there is no more. */
void connection_stop_all(void);
bool connection_none_left(void *unused);

/* Before the guest sleeps: asks each peer for what is waited for. */
void connection_request_all(void);

#endif
