/* The cache of kernels. */
#include "kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char STEP[] = "kernel";

static bool unchanged(const struct kernel *kernel, const struct stat *now)
{
    const struct stat *then = &kernel->status;
    return then->st_dev == now->st_dev && then->st_ino == now->st_ino && then->st_size == now->st_size &&
           then->st_mtim.tv_sec == now->st_mtim.tv_sec && then->st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

static void drop(struct kernel *kernel)
{
    free(kernel->path);
    free(kernel->bytes);
    *kernel = (struct kernel){0};
}

/* A slot for a kernel of that size. */
static struct kernel *make_room(struct kernels *kernels, size_t size)
{
    for (;;) {
        struct kernel *oldest = NULL, *free_slot = NULL;
        size_t kept = size;
        for (struct kernel *slot = kernels->slots; slot < kernels->slots + KERNELS_COUNT; slot++) {
            kept += slot->size;
            if (slot->used == 0)
                free_slot = slot;
            else if (!oldest || slot->used < oldest->used)
                oldest = slot;
        }
        if (free_slot && kept <= KERNELS_MAX)
            return free_slot;
        drop(oldest);
    }
}

static ssize_t read_whole(int fd, char *into, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, into + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static const struct kernel *load(struct kernels *kernels, const char *path, int fd, struct failure *failure)
{
    struct stat status;
    /* Not st_size: a disk has none. */
    off_t size = lseek(fd, 0, SEEK_END);
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        failure_set(failure, STEP, "NOT_A_KERNEL", EISDIR, "%s is no kernel: it is a folder", path);
        return NULL;
    }
    if (size < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        failure_set(failure, STEP, "NOT_A_KERNEL", errno, "%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    if (size == 0 || (size_t)size > KERNEL_MAX) {
        failure_set(failure, STEP, "NOT_A_KERNEL", ENOEXEC, "%s is no kernel: %s", path,
                    size == 0 ? "it is empty" : "it has more than 128 MiB");
        return NULL;
    }
    struct kernel *kernel = make_room(kernels, (size_t)size);
    kernel->path = strdup(path);
    kernel->bytes = malloc((size_t)size);
    ssize_t got = kernel->path && kernel->bytes ? read_whole(fd, kernel->bytes, (size_t)size) : -1;
    if (got <= 0) {
        failure_set(failure, STEP, got == 0 ? "NOT_A_KERNEL" : NULL, got == 0 ? ENOEXEC : errno, "%s cannot be read: %s", path,
                    got == 0 ? "it is empty" : strerror(errno));
        drop(kernel);
        return NULL;
    }
    kernel->size = (size_t)got;
    kernel->status = status;
    kernel->used = ++kernels->uses;
    return kernel;
}

const struct kernel *kernels_get(struct kernels *kernels, const char *path, struct failure *failure)
{
    struct stat now;
    /* Not blocking: a pipe without a writer would never open. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &now) != 0) {
        failure_set(failure, STEP, "NOT_A_KERNEL", errno, "%s cannot be read: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    const struct kernel *found = NULL;
    for (struct kernel *slot = kernels->slots; slot < kernels->slots + KERNELS_COUNT && !found; slot++) {
        if (slot->used == 0 || strcmp(slot->path, path) != 0)
            continue;
        if (unchanged(slot, &now)) {
            slot->used = ++kernels->uses;
            found = slot;
        } else {
            drop(slot);
        }
    }
    if (!found)
        found = load(kernels, path, fd, failure);
    close(fd);
    return found;
}
