/* A domain as Xen's: created, bounded, with its ports. */
#include "steps.h"

#include <errno.h>
#include <string.h>

#include <xen/hvm/params.h>

#include "answer.h"
#include "mark.h"

/* xen:tools/libs/light/libxl_internal.h, LIBXL_MAXMEM_CONSTANT: what a domain may have beside its memory. */
#define MAXMEM_SLACK_KIB 1024
int step_name(struct build *build)
{
    uint32_t holder;
    int taken = name_taken(build->builder, build->request->name, &holder);
    if (taken < 0)
        return -1;
    if (taken)
        return failure_set(&build->builder->failure, "name", "NAME_TAKEN", EEXIST, "domain %u has the name %s already", holder,
                           build->request->name);
    return 0;
}

int step_create(struct build *build)
{
    bool pvh = build->request->pvh;
    struct xen_domctl_createdomain config = {
        .flags = !pvh ? 0 : XEN_DOMCTL_CDF_hvm | (build->builder->hap ? XEN_DOMCTL_CDF_hap : 0),
        .max_vcpus = build->request->vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = -1,
        .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
        .arch = {.emulation_flags = pvh ? XEN_X86_EMU_LAPIC : 0},
    };
    if (mark_next(config.handle) != 0 || xc_domain_create(build->builder->xch, &build->built->domid, &config) != 0)
        return -1;
    build->created = true;
    memcpy(build->built->uuid, config.handle, sizeof build->built->uuid);
    answer_created(build->request->id, build->built->domid, build->built->uuid);
    return 0;
}

int step_max_vcpus(struct build *build)
{
    return xc_domain_max_vcpus(build->builder->xch, build->built->domid, build->request->vcpus);
}

int step_max_memory(struct build *build)
{
    return xc_domain_setmaxmem(build->builder->xch, build->built->domid, build->request->memory_kib + MAXMEM_SLACK_KIB);
}

int step_tsc(struct build *build)
{
    /* 2: the processor's own (xen:docs/man/xl.cfg.5.pod, tsc_mode): reading it does not trap. */
    return xc_domain_set_tsc_info(build->builder->xch, build->built->domid, 2, 0, 0, 0);
}

/* The same as xl's (xen:tools/libs/light/libxl_utils.c, libxl_get_required_paging_memory): a page table entry for each page and some
 * for the vCPUs. */
int step_paging(struct build *build)
{
    const struct build_request *request = build->request;
    xc_interface *xch = build->builder->xch;
    uint64_t kib = 4 * (256 * (uint64_t)request->vcpus + 2 * (request->memory_kib / 1024));
    if (!request->pvh)
        return xc_domain_set_memmap_limit(xch, build->built->domid, request->memory_kib);
    return xc_set_paging_mempool_size(xch, build->built->domid, ((kib + 1023) & ~1023ull) << 10);
}

int step_ports(struct build *build)
{
    struct builder *builder = build->builder;
    uint32_t domid = build->built->domid;
    /* In this order: guests and tools know them by their numbers. */
    build->store_port = xc_evtchn_alloc_unbound(builder->xch, domid, builder->store_domid);
    build->console_port = build->store_port < 0 ? -1 : xc_evtchn_alloc_unbound(builder->xch, domid, builder->console_domid);
    if (build->console_port < 0)
        return -1;
    if (!build->request->provisioned)
        return 0;
    int port = xc_evtchn_alloc_unbound(builder->xch, domid, 0);
    build->built->port = (uint32_t)port;
    return port < 0 ? -1 : 0;
}

/* Where a guest with hardware virtualisation looks for its ports; a triple fault is a crash, not a wish to reboot. */
int step_parameters(struct build *build)
{
    const struct {
        uint32_t index;
        uint64_t value;
    } parameters[] = {
        {HVM_PARAM_STORE_EVTCHN, (uint64_t)build->store_port},
        {HVM_PARAM_CONSOLE_EVTCHN, (uint64_t)build->console_port},
        {HVM_PARAM_TRIPLE_FAULT_REASON, SHUTDOWN_crash},
    };
    for (size_t i = 0; build->request->pvh && i < sizeof parameters / sizeof parameters[0]; i++)
        if (xc_hvm_param_set(build->builder->xch, build->built->domid, parameters[i].index, parameters[i].value) != 0)
            return -1;
    return 0;
}

int step_keep(struct build *build)
{
    return domains_add(&build->builder->domains, build->built->domid, build->built->uuid, build->request->name);
}
