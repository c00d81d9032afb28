/* The domains that this process has built, and what Xen says of any. */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenctrl.h>

struct domain {
    uint32_t domid;
    xen_domain_handle_t uuid;
    char *name;
    bool handed_over; /* it has been let run: no longer ours to destroy when our user goes */
};

struct domains {
    struct domain *list;
    size_t count, room;
};

/* -1 without memory. */
int domains_add(struct domains *domains, uint32_t domid, const xen_domain_handle_t uuid, const char *name);
struct domain *domains_find(struct domains *domains, uint32_t domid);
void domains_drop(struct domains *domains, uint32_t domid);
/* Forget those that are not in `infos`. */
void domains_keep_only(struct domains *domains, const xc_domaininfo_t *infos, size_t count);

/* All of Xen's, to be freed. -1 with errno. */
int xen_domains(xc_interface *xch, xc_domaininfo_t **infos, size_t *count);
/* 1 and `info`, 0 when there is none of that domid and UUID, -1 with errno. */
int xen_domain(xc_interface *xch, uint32_t domid, const xen_domain_handle_t uuid, xc_domaininfo_t *info);

#endif
