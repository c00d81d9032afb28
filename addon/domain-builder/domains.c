/* A list of our own, and Xen's list. */
#include "domains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int domains_add(struct domains *domains, uint32_t domid, const xen_domain_handle_t uuid, const char *name)
{
    if (domains->count == domains->room) {
        size_t room = domains->room * 2 + 16;
        struct domain *grown = realloc(domains->list, room * sizeof *grown);
        if (!grown)
            return -1;
        domains->list = grown;
        domains->room = room;
    }
    struct domain *domain = &domains->list[domains->count];
    *domain = (struct domain){.domid = domid, .name = strdup(name)};
    if (!domain->name)
        return -1;
    memcpy(domain->uuid, uuid, sizeof domain->uuid);
    domains->count++;
    return 0;
}

struct domain *domains_find(struct domains *domains, uint32_t domid)
{
    for (size_t i = 0; i < domains->count; i++)
        if (domains->list[i].domid == domid)
            return &domains->list[i];
    return NULL;
}

static void drop_at(struct domains *domains, size_t at)
{
    free(domains->list[at].name);
    domains->list[at] = domains->list[--domains->count];
}

void domains_drop(struct domains *domains, uint32_t domid)
{
    struct domain *domain = domains_find(domains, domid);
    if (domain)
        drop_at(domains, (size_t)(domain - domains->list));
}

/* Xen lists domains in the order of their domids (xen:xen/common/domain.c, domain_create). */
static bool listed(const struct domain *domain, const xc_domaininfo_t *infos, size_t count)
{
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (infos[middle].domain < domain->domid)
            from = middle + 1;
        else
            to = middle;
    }
    return from < count && infos[from].domain == domain->domid &&
           memcmp(infos[from].handle, domain->uuid, sizeof domain->uuid) == 0;
}

void domains_keep_only(struct domains *domains, const xc_domaininfo_t *infos, size_t count)
{
    for (size_t i = domains->count; i-- > 0;)
        if (!listed(&domains->list[i], infos, count))
            drop_at(domains, i);
}

int xen_domains(xc_interface *xch, xc_domaininfo_t **infos, size_t *count)
{
    /* What fits into one page: libxenctrl keeps single pages for hypercalls, and makes larger ones anew. */
    enum { CHUNK = XC_PAGE_SIZE / sizeof(xc_domaininfo_t) };
    xc_domaininfo_t *list = NULL;
    uint32_t next = 0;
    int got = CHUNK;
    for (*count = 0; got == CHUNK; *count += (size_t)got) {
        xc_domaininfo_t *grown = realloc(list, (*count + CHUNK) * sizeof *grown);
        got = grown ? xc_domain_getinfolist(xch, next, CHUNK, grown + *count) : -1;
        list = grown ? grown : list;
        if (got < 0) {
            free(list);
            return -1;
        }
        if (got > 0)
            next = list[*count + (size_t)got - 1].domain + 1u;
    }
    *infos = list;
    return 0;
}

int xen_domain(xc_interface *xch, uint32_t domid, const xen_domain_handle_t uuid, xc_domaininfo_t *info)
{
    /* It gives the next domain where there is none of that domid. */
    int got = xc_domain_getinfolist(xch, domid, 1, info);
    if (got < 0)
        return -1;
    return got == 1 && info->domain == domid && memcmp(info->handle, uuid, sizeof(xen_domain_handle_t)) == 0;
}
