/*
 * The guest's way to xenstore. A request may wait for its reply, or not: then what follows it on the wire goes out with it.
 * Paths without a leading slash are below the guest's own /local/domain/<domid>.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest path that the guest makes or looks at, its NUL included; longest value it writes. */
#define STORE_PATH_BYTES 192
#define STORE_VALUE_BYTES 256

/* What a request that failed comes back with: nothing there, no right to it, no store. */
#define STORE_FAILED (-1)

/* A path from a pattern as format() knows it; `path` has STORE_PATH_BYTES. Returns its length. */
size_t store_path(char *path, const char *pattern, ...) __attribute__((format(printf, 2, 3)));

void store_init(volatile uint8_t *page, uint32_t port);

/* Deals with what the store has sent and kicks it if there is reason to. For the loop. */
void store_progress(void);

/* Bytes of the reply, of which at most `room` - 1 are in `reply`, with a NUL behind them; or STORE_FAILED. Waits. */
long store_read(const char *path, char *reply, size_t room);
/* Names of children, each with its NUL. */
long store_directory(const char *path, char *reply, size_t room);
/* Less than 0: STORE_FAILED. Waits. */
long store_write(const char *path, const char *value);
/* The domain that owns what is there, or STORE_FAILED. Waits. */
long store_owner(const char *path);

/* Without waiting for what comes of it; waits for room on the wire at most. */
void store_post_write(const char *path, const char *value);
void store_post_remove(const char *path);
/* Nobody but `owner` and `reader`. */
void store_post_rights(const char *path, uint32_t owner, uint32_t reader);

/* `fired` must be quick and not wait; the path's bytes are the store's: look at them, keep none. It fires once at once, then whenever something at or below `path` changes. Returns its place; 0: there is no room for one more. */
uint32_t store_watch(const char *path, void (*fired)(const char *path));
void store_unwatch(const char *path, uint32_t place);

#endif
