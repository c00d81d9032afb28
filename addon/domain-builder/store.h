/*
 * xenstore's wire protocol (xen/include/public/io/xs_wire.h) for one client that knows beforehand what it wants: requests are
 * gathered into a batch, sent at once, and their answers collected later. libxenstore waits for each answer before it sends the next
 * request, which is most of what a toolstack's xenstore work takes.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store {
    int fd;       /* -1: not connected */
    bool bus;     /* the kernel's device: it takes one message a write() */
    bool changed; /* an event came between answers */
    uint32_t last_id;
};

struct store_request {
    uint32_t id;
    int error;   /* an errno, once answered */
    char *value; /* what was answered, with a NUL behind it */
};

#define STORE_BATCH_MAX 256

/* Zeroed before use. What is added past the bounds fails the whole batch when it is sent. */
struct store_batch {
    char *bytes;
    size_t length, room;
    struct store_request requests[STORE_BATCH_MAX];
    unsigned int count, answered;
    bool sent, broken;
};

/* -1 with errno. Idempotent. */
int store_open(struct store *store);
void store_close(struct store *store);

/* The payload is `length` bytes; strings in it end with their NUL where the protocol has one. Returns the request's index. */
unsigned int batch_add(struct store *store, struct store_batch *batch, uint32_t type, const void *payload, size_t length);
void batch_write(struct store *store, struct store_batch *batch, const char *path, const char *value);
/* Owned by a domain that alone may read and write; with `reader` >= 0 that one may read as well. */
void batch_permit(struct store *store, struct store_batch *batch, const char *path, unsigned int owner, int reader);
unsigned int batch_read(struct store *store, struct store_batch *batch, const char *path);
void batch_remove(struct store *store, struct store_batch *batch, const char *path);

/* -1 with errno when the connection broke: it is closed then. Answers that are errors are in the requests. What was sent has to be
 * received before anything else is sent. */
int store_send(struct store *store, struct store_batch *batch);
int store_receive(struct store *store, struct store_batch *batch);
/* Until something watched has changed: 1; 0 when nothing has in that time, -1 with errno as above. An event that came between answers
 * counts as one after them: the daemon sends no second one that is equal while the first is on its way (XSA-326). */
int store_await_event(struct store *store, int timeout_ms);
/* The first error in the batch's answers, 0 for none. */
int batch_error(const struct store_batch *batch);
void batch_free(struct store_batch *batch);

#endif
