/*
 * What the parts of vchan-peer share: the job that the command line asks for, the bytes that both ends know, and moving them
 * through a libxenvchan in any of its modes.
 */
#ifndef VCHAN_PEER_H
#define VCHAN_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxenvchan.h>

/* One job, from the command line (arguments.c). */
struct job {
    bool server;
    int peer;                 /* domid, -1: a line on stdin says it */
    const char *port;
    const char *name;         /* send receive echo exchange ping hold */
    uint64_t count;           /* bytes, or round trips of ping; 0: until the peer ends */
    size_t chunk;             /* bytes a call */
    size_t read_ring, write_ring;
    bool packet, blocking, blind;
    const char *finish;       /* close drain hold exit kill stay */
};

struct job job_from_arguments(int argc, char **argv);

/* Byte i of a stream is PATTERN_PERIOD-periodic: a prime, so that a ringful out of place never goes unnoticed. */
#define PATTERN_PERIOD 1048583u
#define CHUNK_MAX (1u << 20)
void pattern_init(void);
/* At least CHUNK_MAX bytes of the stream from `offset` on. */
const uint8_t *pattern_at(uint64_t offset);

/* Calls for a whole chunk (packet mode) or as much as there is (stream mode): bytes moved, 0 when now there is nothing to be
 * moved (only when not blocking), -1 at the end. */
int chunk_read(struct libxenvchan *chan, const struct job *job, void *target, size_t bytes);
int chunk_write(struct libxenvchan *chan, const struct job *job, const void *source, size_t bytes);
/* Sleep until the other side has moved: in select() where the job does not block. -1 on failure. */
int wait_for_peer(struct libxenvchan *chan, const struct job *job);

/* Runs the job over an open channel; 0 when every byte was right. */
int run_job(struct libxenvchan *chan, const struct job *job);
int run_ping(struct libxenvchan *chan, const struct job *job);

double seconds_now(void);

#endif
