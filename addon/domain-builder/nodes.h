/* What the store holds of a domain: what the guest, xl and xenconsoled look for, and nothing else. */
#ifndef NODES_H
#define NODES_H

#include "builder.h"

struct node_facts {
    uint32_t domid;
    const char *name;
    bool pvh;
    const char *provisioned; /* as in the request */
    uint32_t port, gref;
};

/* All that is known before there is memory. */
void nodes_before(struct store *store, struct store_batch *batch, const struct node_facts *facts);

struct ring_facts {
    uint32_t domid;
    uint64_t store_frame, console_frame;
    uint32_t store_port, console_port;
};

/* The console's, and the introduction to the daemon. */
void nodes_introduce(struct store *store, struct store_batch *batch, const struct ring_facts *facts);
/* Everything of one that is gone. */
void nodes_remove(struct store *store, struct store_batch *batch, uint32_t domid);
void nodes_rename(struct store *store, struct store_batch *batch, uint32_t domid, const char *name);
/* Whether another domain has the name: 1, 0, -1 with errno. `holder` is told which. */
int name_taken(struct builder *builder, const char *name, uint32_t *holder);

#endif
