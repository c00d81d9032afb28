/* The way to a name: being let in to it, and the one watch on the directory where requests and answers are. */
#ifndef DIAL_ROUTE_H
#define DIAL_ROUTE_H

#include "connection.h"
#include "store.h"

struct route {
    char name[NAME_BYTES];
    char directory[STORE_PATH_BYTES]; /* ours under the name's `listen` */
    uint32_t users;                   /* connections there are, or that are being made */
    uint32_t server, watch;
    uint32_t events; /* at or below the directory, so far */
    bool admitted;
};

/* What was seen of a route's events, for a question that fiber_wait asks. */
struct route_event {
    const struct route *route;
    uint32_t count;
};

/* NULL: nobody holds the name, or its holder is this domain, or the registrar does not let us in. Waits. */
struct route *route_enter(const char *name, uint64_t deadline_ns);
/* With the last of its users the registrar is told that we want nothing more of the name. */
void route_leave(struct route *route);

#endif
