/* The rest of both libraries, which libxenvchan does not use: answered here all the same, for Debian's own must never see a
 * handle of ours. */
#include "local.h"

#include <errno.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define UNSUPPORTED(declaration)                                                                                       \
    EXPORT declaration;                                                                                                \
    EXPORT declaration                                                                                                 \
    {                                                                                                                  \
        errno = EOPNOTSUPP;                                                                                            \
        return -1;                                                                                                     \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"

UNSUPPORTED(int xengnttab_fd(xengnttab_handle *handle))
UNSUPPORTED(int xengntshr_fd(xengntshr_handle *handle))
UNSUPPORTED(int xengnttab_grant_copy(xengnttab_handle *handle, uint32_t count, xengnttab_grant_copy_segment_t *segments))
UNSUPPORTED(int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *handle, uint32_t domid, uint32_t flags,
                                               uint32_t count, const uint32_t *refs, uint32_t *fd))
UNSUPPORTED(int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *handle, uint32_t fd, uint32_t wait_ms))
UNSUPPORTED(int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *handle, uint32_t domid, uint32_t fd, uint32_t count,
                                             uint32_t *refs))
UNSUPPORTED(int xengnttab_dmabuf_imp_release(xengnttab_handle *handle, uint32_t fd))
UNSUPPORTED(xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *handle, unsigned int virq))
UNSUPPORTED(int xenevtchn_restrict(xenevtchn_handle *handle, domid_t domid))

/* The default is no limit here. */
EXPORT int xengnttab_set_max_grants(xengnttab_handle *handle, uint32_t grants)
{
    return 0;
}

EXPORT void *xengnttab_map_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t *domids, uint32_t *refs, int prot)
{
    for (uint32_t i = 1; i < count; i++)
        if (domids[i] != domids[0]) {
            errno = EOPNOTSUPP;
            return NULL;
        }
    return xengnttab_map_domain_grant_refs(handle, count, domids[0], refs, prot);
}

EXPORT xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned flags)
{
    errno = EOPNOTSUPP;
    return NULL;
}
