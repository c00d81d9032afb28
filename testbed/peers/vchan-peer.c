/*
 * One end of a vchan over Debian's libxenvchan: serves or connects, runs one job, ends as told. Speaks in lines of
 * `event key=value …` on stdout: ready, listening, connected, done, closed. Status 0: every byte was right; 1: not, or
 * no channel; 2: wrong usage. Runs on Xen, and on any machine with the preload library beside this folder.
 */
#include "vchan-peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

static int fail(const char *what)
{
    fprintf(stderr, "vchan-peer: %s: %s\n", what, strerror(errno));
    return 1;
}

/* This domain's number, as libxenvchan itself finds it. */
static int own_domid(struct xs_handle *store)
{
    char *text = xs_read(store, XBT_NULL, "domid", NULL);
    int domid = text ? atoi(text) : -1;
    free(text);
    return domid;
}

static int peer_from_stdin(void)
{
    char line[16];
    return fgets(line, sizeof line, stdin) ? atoi(line) : -1;
}

static struct libxenvchan *serve(const struct job *job)
{
    char path[128];
    snprintf(path, sizeof path, "data/vchan/%d/%s", job->peer, job->port);
    struct libxenvchan *chan = libxenvchan_server_init(NULL, job->peer, path, job->read_ring, job->write_ring);
    if (!chan)
        return NULL;
    /* libxenvchan leaves the flag as malloc found it. */
    chan->blocking = job->blocking;
    puts("listening");
    while (libxenvchan_is_open(chan) == 2)
        if (wait_for_peer(chan, job) < 0)
            break;
    return chan;
}

/* Waits until the server has published its keys: libxenvchan itself does not wait. */
static struct libxenvchan *dial(const struct job *job, struct xs_handle *store, int own)
{
    char path[128];
    snprintf(path, sizeof path, "/local/domain/%d/data/vchan/%d/%s", job->peer, own, job->port);
    if (!xs_watch(store, path, "keys"))
        return NULL;
    for (;;) {
        struct libxenvchan *chan = libxenvchan_client_init(NULL, job->peer, path);
        if (chan) {
            chan->blocking = job->blocking;
            return chan;
        }
        unsigned count;
        char **event = xs_read_watch(store, &count);
        if (!event)
            return NULL;
        free(event);
    }
}

static void finish(struct libxenvchan *chan, const struct job *job)
{
    const int ring = 1 << chan->write.order;
    if (strcmp(job->finish, "exit") == 0) {
        fflush(stdout);
        _exit(0);
    }
    if (strcmp(job->finish, "kill") == 0) {
        fflush(stdout);
        raise(SIGKILL);
    }
    if (strcmp(job->finish, "stay") == 0)
        for (;;)
            pause();
    while (strcmp(job->finish, "drain") == 0 && libxenvchan_is_open(chan) && libxenvchan_buffer_space(chan) < ring)
        wait_for_peer(chan, job);
    while (strcmp(job->finish, "hold") == 0 && libxenvchan_is_open(chan))
        wait_for_peer(chan, job);
    libxenvchan_close(chan);
    puts("closed");
}

int main(int argc, char **argv)
{
    struct job job = job_from_arguments(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    pattern_init();
    struct xs_handle *store = xs_open(0);
    if (!store)
        return fail("the store");
    const int own = own_domid(store);
    printf("ready domid=%d\n", own);
    if (job.peer < 0)
        job.peer = peer_from_stdin();
    struct libxenvchan *chan = job.server ? serve(&job) : dial(&job, store, own);
    if (!chan)
        return fail(job.server ? "libxenvchan_server_init" : "libxenvchan_client_init");
    xs_close(store);
    printf("connected left=%d right=%d\n", job.server ? chan->read.order : chan->write.order,
           job.server ? chan->write.order : chan->read.order);
    int status = run_job(chan, &job);
    finish(chan, &job);
    return status;
}
