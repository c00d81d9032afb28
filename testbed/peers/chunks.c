/* One call of libxenvchan, by the job's mode, and the wait between two where the library is not to wait itself. */
#include "vchan-peer.h"

#include <errno.h>
#include <sys/select.h>

int chunk_read(struct libxenvchan *chan, const struct job *job, void *target, size_t bytes)
{
    return job->packet ? libxenvchan_recv(chan, target, bytes) : libxenvchan_read(chan, target, bytes);
}

int chunk_write(struct libxenvchan *chan, const struct job *job, const void *source, size_t bytes)
{
    return job->packet ? libxenvchan_send(chan, source, bytes) : libxenvchan_write(chan, source, bytes);
}

int wait_for_peer(struct libxenvchan *chan, const struct job *job)
{
    if (!job->blocking) {
        int fd = libxenvchan_fd_for_select(chan);
        fd_set readable;
        do {
            FD_ZERO(&readable);
            FD_SET(fd, &readable);
        } while (select(fd + 1, &readable, NULL, NULL, NULL) < 0 && errno == EINTR);
    }
    return libxenvchan_wait(chan);
}
