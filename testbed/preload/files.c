/* Files of pages: made sealed, and refused when a peer's are not (addon/memfd.cc has the same rules). */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h, since Linux 6.3 */
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int pages_create(size_t pages)
{
    int fd = memfd_create("conduit", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("conduit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)(pages * CONDUIT_PAGE_BYTES)) == 0 && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int64_t pages_sealed_bytes(int fd)
{
    struct statfs system;
    struct stat status;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstatfs(fd, &system) < 0 || fstat(fd, &status) < 0)
        return -1;
    /* A file that shrinks, and a hole in one of huge pages, are SIGBUS for who has it mapped. */
    if ((seals & SEALS) == SEALS && system.f_type != HUGETLBFS_MAGIC)
        return status.st_size;
    errno = EPERM;
    return -1;
}
