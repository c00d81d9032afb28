/* Round trips, one after the other: percentiles of all after the first tenth, which warms up. */
#include "vchan-peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Moves all of the chunk; false at the end. */
static bool whole(struct libxenvchan *chan, const struct job *job, uint8_t *target, const uint8_t *source)
{
    for (size_t done = 0; done < job->chunk;) {
        int moved = target ? chunk_read(chan, job, target + done, job->chunk - done)
                           : chunk_write(chan, job, source + done, job->chunk - done);
        if (moved < 0 || (moved == 0 && wait_for_peer(chan, job) < 0))
            return false;
        done += (size_t)moved;
    }
    return true;
}

int run_ping(struct libxenvchan *chan, const struct job *job)
{
    static uint8_t back[CHUNK_MAX];
    const uint64_t warm = job->count / 10;
    double *micros = calloc(job->count + 1, sizeof *micros);
    uint64_t bad = 0, taken = 0;
    if (!micros)
        return 1;
    for (uint64_t i = 0; i < job->count; i++) {
        const uint8_t *out = pattern_at(i);
        const double start = seconds_now();
        if (!whole(chan, job, NULL, out) || !whole(chan, job, back, NULL))
            break;
        if (i >= warm)
            micros[taken++] = (seconds_now() - start) * 1e6;
        bad += memcmp(out, back, job->chunk) != 0;
    }
    qsort(micros, taken, sizeof *micros, ascending);
    printf("done job=ping count=%" PRIu64 " bad=%" PRIu64 " p50_us=%.3f p99_us=%.3f\n", taken + warm, bad,
           micros[taken / 2], micros[taken * 99 / 100]);
    free(micros);
    return bad != 0 || taken + warm != job->count;
}
