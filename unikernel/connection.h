/*
 * A connection: a vchan with its pages, grants and port, and the waits for it. How two ends find each other is the business
 * of direct.c and of the conduit files; what app.h declares of connections is here too.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "app.h"
#include "entry.h"
#include "vchan.h"

#define CONNECTIONS_MAX 32
/* Of these, how many one guest may hold, with those whose pages it does not let go; domain 0 may hold all. */
#define CONNECTIONS_A_GUEST (CONNECTIONS_MAX / 2)
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
    void (*unmap)(struct connection *connection); /* where we are the client */
    char port[NAME_BYTES];
    uint64_t request; /* of a connection that was accepted by name: entry.h */
    const char *name; /* by which it was accepted */
    struct route *route; /* of a client by name: dial_route.h */
};

/* Where a channel has its port and the reference of its page from: by itself, or from whoever built the domain. */
struct provision {
    uint32_t port, reference; /* 0: by itself */
};
#define BY_ITSELF ((struct provision){0, 0})

/* A server's end for `peer`; NULL: there are no connections, pages, references or ports for one more. */
struct connection *connection_offer(domid_t peer, uint32_t ring_bytes, struct provision provision);

/* A question for fiber_wait: whether the client has come. Until then it wants to be told. */
bool connection_came(void *connection);

/* Ends it as app.h promises, from whatever state it is in, and gives back what it had. Waits for the peer to let go. */
void connection_finish(struct connection *connection);
/* Gives back what it had, at once dead for the peer. Waits for the peer to let go. */
void connection_release(struct connection *connection);

/* Runs app() on it and finishes it: the body of a fiber. */
void connection_run(void *connection);

/* The one that was accepted for that request; NULL: there is none. */
struct connection *connection_accepted(uint64_t request);
/* How many there are whose peer is that domain, and how many of these it was accepted from by name. */
uint32_t connection_count(domid_t peer);
uint32_t connection_count_accepted(domid_t client);
/* Takes a domain for dead: breaks off what was accepted from it by name. */
void connection_client_died(domid_t client);

/* The guest is to stop: whoever waits to receive is told that there is no more. */
void connection_stop_all(void);
bool connection_none_left(void *unused);

/* After each round of the fibers: tells the peers what was read and written in it. */
void connection_signal_all(void);
/* Before the guest sleeps: asks each peer for what is waited for. */
void connection_request_all(void);

#endif
