/*
 * Kernels that were built from, kept in memory: read rather than mapped, since a file that shrinks under a mapping is a SIGBUS. The
 * least recently used ones make room.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "failure.h"

/* Of one file; of all that is kept. A unikernel has kilobytes, an unpacked Linux some 60 MiB. */
#define KERNEL_MAX ((size_t)128 << 20)
#define KERNELS_MAX ((size_t)256 << 20)
#define KERNELS_COUNT 64

struct kernel {
    char *path;
    struct stat status; /* of the file, when it was read */
    void *bytes;
    size_t size;
    uint64_t used; /* counts up; 0: the slot is free */
};

struct kernels {
    struct kernel slots[KERNELS_COUNT];
    uint64_t uses;
};

/* The file as it is now: read if it is not kept, or has changed. Valid until the next call. NULL: `failure` says why. */
const struct kernel *kernels_get(struct kernels *kernels, const char *path, struct failure *failure);

#endif
