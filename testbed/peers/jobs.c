/* What a peer does with an open channel. Every job says in one line what came of it. */
#include "vchan-peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static uint8_t buffer[CHUNK_MAX];

static size_t least(uint64_t left, size_t chunk)
{
    return left < chunk ? (size_t)left : chunk;
}

/* Bytes of a stream as they are read or written. Timed are those after the first quarter, which warms up. */
struct flow {
    uint64_t bytes, bad, timed;
    double first, last;
};

static void count(struct flow *flow, const struct job *job, size_t bytes)
{
    flow->last = seconds_now();
    if (flow->first != 0)
        flow->timed += bytes;
    else if (flow->bytes >= job->count / 4)
        flow->first = flow->last;
    flow->bytes += bytes;
}

static void check(struct flow *flow, const struct job *job, size_t bytes)
{
    if (!job->blind && memcmp(buffer, pattern_at(flow->bytes), bytes) != 0)
        flow->bad++;
    count(flow, job, bytes);
}

static int report(const struct job *job, const struct flow *flow)
{
    const double seconds = flow->last - flow->first;
    printf("done job=%s bytes=%" PRIu64 " bad=%" PRIu64 " timed=%" PRIu64 " seconds=%.6f\n", job->name, flow->bytes, flow->bad,
           flow->timed, seconds);
    return flow->bad != 0 || (job->count != 0 && flow->bytes != job->count);
}

static int run_send(struct libxenvchan *chan, const struct job *job)
{
    struct flow flow = {0};
    while (flow.bytes < job->count) {
        int sent = chunk_write(chan, job, pattern_at(flow.bytes), least(job->count - flow.bytes, job->chunk));
        if (sent < 0 || (sent == 0 && wait_for_peer(chan, job) < 0))
            break;
        count(&flow, job, (size_t)sent);
    }
    return report(job, &flow);
}

static int run_receive(struct libxenvchan *chan, const struct job *job)
{
    struct flow flow = {0};
    while (job->count == 0 || flow.bytes < job->count) {
        size_t wanted = job->count == 0 ? job->chunk : least(job->count - flow.bytes, job->chunk);
        int got = chunk_read(chan, job, buffer, wanted);
        if (got < 0 || (got == 0 && wait_for_peer(chan, job) < 0))
            break;
        if (got > 0)
            check(&flow, job, (size_t)got);
    }
    return report(job, &flow);
}

/* Writes all of it; false when the other side has gone. */
static bool write_all(struct libxenvchan *chan, const struct job *job, const uint8_t *source, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        int sent = chunk_write(chan, job, source + done, bytes - done);
        if (sent < 0 || (sent == 0 && wait_for_peer(chan, job) < 0))
            return false;
        done += (size_t)sent;
    }
    return true;
}

static int run_echo(struct libxenvchan *chan, const struct job *job)
{
    struct flow flow = {0};
    for (;;) {
        int got = chunk_read(chan, job, buffer, job->chunk);
        if (got < 0 || (got == 0 && wait_for_peer(chan, job) < 0))
            break;
        count(&flow, job, (size_t)got);
        if (!write_all(chan, job, buffer, (size_t)got))
            break;
    }
    return report(job, &flow);
}

/* Both directions at once: never waits in one while there is something to do in the other. */
static int run_exchange(struct libxenvchan *chan, const struct job *job)
{
    struct flow flow = {0};
    uint64_t sent = 0;
    chan->blocking = 0;
    while (flow.bytes < job->count) {
        int put = 0, got;
        if (sent < job->count)
            put = chunk_write(chan, job, pattern_at(sent), least(job->count - sent, job->chunk));
        if (put > 0)
            sent += (uint64_t)put;
        got = chunk_read(chan, job, buffer, least(job->count - flow.bytes, job->chunk));
        if (got > 0)
            check(&flow, job, (size_t)got);
        if (got < 0 || (got == 0 && put == 0 && wait_for_peer(chan, job) < 0))
            break;
    }
    chan->blocking = job->blocking;
    return report(job, &flow);
}

static int run_hold(struct libxenvchan *chan, const struct job *job)
{
    while (libxenvchan_is_open(chan) && wait_for_peer(chan, job) >= 0) {
    }
    puts("done job=hold");
    return 0;
}

int run_job(struct libxenvchan *chan, const struct job *job)
{
    static const struct {
        const char *name;
        int (*run)(struct libxenvchan *, const struct job *);
    } jobs[] = {
        {"send", run_send}, {"receive", run_receive}, {"echo", run_echo},
        {"exchange", run_exchange}, {"ping", run_ping}, {"hold", run_hold},
    };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        if (strcmp(jobs[i].name, job->name) == 0)
            return jobs[i].run(chan, job);
    return 2;
}
