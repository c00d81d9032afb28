/* One connection by name on the server's side, from the client's request to app(). */
#ifndef ACCEPT_H
#define ACCEPT_H

#include "connection.h"
#include "store.h"

/* A client's request: where it lies, and where what it gets goes. */
struct offer {
    uint64_t request; /* entry.h */
    const char *name;
    char entry[STORE_PATH_BYTES], keys[STORE_PATH_BYTES];
};

/* Posts the two keys of a server's channel under `directory`, for its client to read. The reference last: who finds it finds the
 * port. */
void publish_keys(const char *directory, const struct connection *connection);

/* Fills in the paths. */
void offer_path(struct offer *offer);
/* Answers with a code of src/errors.ts. */
void offer_refuse(const struct offer *offer, const char *code);
/* Makes a channel and says so, or refuses; app() gets it when the client has come. */
void offer_accept(const struct offer *offer, const struct connect_request *request);

#endif
