/* Destroys domains: in Xen, then in the store. */
#include "destroy.h"

#include <errno.h>
#include <stdlib.h>

#include "console.h"
#include "mark.h"
#include "nodes.h"

static int remove_nodes(struct builder *builder, uint32_t domid)
{
    struct store_batch batch = {0};
    nodes_remove(&builder->store, &batch, domid);
    int result = store_send(&builder->store, &batch);
    /* Errors of single requests: what was not there. */
    if (result == 0)
        result = store_receive(&builder->store, &batch);
    batch_free(&batch);
    return result;
}

int destroy_domain(struct builder *builder, uint32_t domid)
{
    int result;
    await_console(builder, domid);
    /* In pieces: each call takes some of the memory back. */
    do {
        errno = 0;
        result = xc_domain_destroy(builder->xch, domid);
    } while (result != 0 && (errno == EAGAIN || errno == EINTR));
    int why = result != 0 && errno != ESRCH ? errno : 0;
    if (remove_nodes(builder, domid) != 0 && why == 0)
        why = errno;
    domains_drop(&builder->domains, domid);
    errno = why;
    return why == 0 ? 0 : -1;
}

void destroy_unused(struct builder *builder)
{
    for (size_t i = builder->domains.count; i-- > 0;) {
        struct domain domain = builder->domains.list[i];
        xc_domaininfo_t info;
        if (!domain.handed_over && xen_domain(builder->xch, domain.domid, domain.uuid, &info) == 1)
            destroy_domain(builder, domain.domid);
    }
}

/* One that has never run was not handed over; one that is dying has nobody left who goes on with it. A domain that runs, or that
 * somebody has paused since, is its user's. */
static bool abandoned(const xc_domaininfo_t *info)
{
    bool never_ran = (info->flags & XEN_DOMINF_paused) && info->cpu_time == 0;
    return ((info->flags & XEN_DOMINF_dying) || never_ran) && mark_is_orphan(info->handle);
}

int destroy_orphans(struct builder *builder)
{
    xc_domaininfo_t *infos;
    size_t count;
    int destroyed = 0;
    if (xen_domains(builder->xch, &infos, &count) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (abandoned(&infos[i]) && destroy_domain(builder, infos[i].domain) == 0)
            destroyed++;
    free(infos);
    return destroyed;
}
