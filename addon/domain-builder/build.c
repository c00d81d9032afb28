/* The steps of a build, in the order of their numbers. */
#include "build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/hvm/params.h>

#include "answer.h"
#include "destroy.h"
#include "faults.h"
#include "image.h"
#include "mark.h"
#include "nodes.h"

struct build {
    struct builder *builder;
    const struct build_request *request;
    struct built *built;
    const struct kernel *kernel;
    struct xc_dom_image *image;
    bool created;
    int store_port, console_port;
    struct store_batch nodes, rings;
    char cmdline[1100];
};

/* xen:tools/libs/light/libxl_internal.h, LIBXL_MAXMEM_CONSTANT: what a domain may have beside its memory. */
#define MAXMEM_SLACK_KIB 1024
/* Of start_info (xen:xen/include/public/xen.h, MAX_GUEST_CMDLINE), with its NUL: libxenguest cuts off what is longer. */
#define CMDLINE_MAX 1024
/* Below 4 GiB of a PVH domain lie, from there up, its special pages (xen:tools/libs/guest/xg_dom_x86.c) and the APIC. */
#define MMIO_START 0xfc000000ull
#define SPECIAL_START (((uint64_t)X86_HVM_END_SPECIAL_REGION - X86_HVM_NR_SPECIAL_PAGES) << XC_PAGE_SHIFT)
#define GIB_4 (1ull << 32)

static int step_name(struct build *build)
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

static int step_kernel(struct build *build)
{
    build->kernel = kernels_get(&build->builder->kernels, build->request->kernel, &build->builder->failure);
    return build->kernel ? 0 : -1;
}

static int step_create(struct build *build)
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

static int step_max_vcpus(struct build *build)
{
    return xc_domain_max_vcpus(build->builder->xch, build->built->domid, build->request->vcpus);
}

static int step_max_memory(struct build *build)
{
    return xc_domain_setmaxmem(build->builder->xch, build->built->domid, build->request->memory_kib + MAXMEM_SLACK_KIB);
}

static int step_tsc(struct build *build)
{
    /* 2: the processor's own (xen:docs/man/xl.cfg.5.pod, tsc_mode): reading it does not trap. */
    return xc_domain_set_tsc_info(build->builder->xch, build->built->domid, 2, 0, 0, 0);
}

/* The same as xl's (xen:tools/libs/light/libxl_utils.c, libxl_get_required_paging_memory): a page table entry for each page and some
 * for the vCPUs. */
static int step_paging(struct build *build)
{
    const struct build_request *request = build->request;
    xc_interface *xch = build->builder->xch;
    uint64_t kib = 4 * (256 * (uint64_t)request->vcpus + 2 * (request->memory_kib / 1024));
    if (!request->pvh)
        return xc_domain_set_memmap_limit(xch, build->built->domid, request->memory_kib);
    return xc_set_paging_mempool_size(xch, build->built->domid, ((kib + 1023) & ~1023ull) << 10);
}

static int step_ports(struct build *build)
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

/* Sent now and answered while memory is filled. */
static int step_nodes(struct build *build)
{
    const struct build_request *request = build->request;
    const struct node_facts facts = {
        .domid = build->built->domid,
        .name = request->name,
        .pvh = request->pvh,
        .provisioned = request->provisioned,
        .port = build->built->port,
        .gref = request->gref,
    };
    nodes_before(&build->builder->store, &build->nodes, &facts);
    return store_send(&build->builder->store, &build->nodes);
}

/* `{domid}` in it becomes the number; a provisioned channel's are added. -1 when it does not fit. */
static int compose_cmdline(struct build *build)
{
    static const char mark[] = "{domid}";
    size_t length = 0, room = CMDLINE_MAX;
    const char *from = build->request->cmdline;
    while (*from && length < room) {
        bool here = strncmp(from, mark, sizeof mark - 1) == 0;
        if (here)
            length += (size_t)snprintf(build->cmdline + length, room - length, "%u", build->built->domid);
        else
            build->cmdline[length++] = *from;
        from += here ? sizeof mark - 1 : 1;
    }
    if (build->request->provisioned && length < room)
        length += (size_t)snprintf(build->cmdline + length, room - length, "%sdomid=%u provisioned=%u:%u", length ? " " : "",
                                   build->built->domid, build->built->port, build->request->gref);
    if (length >= room)
        return -1;
    build->cmdline[length] = '\0';
    return 0;
}

static int step_image(struct build *build)
{
    struct builder *builder = build->builder;
    const struct build_request *request = build->request;
    if (compose_cmdline(build) != 0)
        return failure_set(&builder->failure, "image", "BAD_REQUEST", E2BIG, "the command line has more than %d bytes",
                           CMDLINE_MAX - 1);
    struct xc_dom_image *image = build->image = image_of(builder, build->kernel, request->pvh, build->cmdline);
    if (!image)
        return -1;
    if (request->ramdisk && xc_dom_module_file(image, request->ramdisk, NULL) != 0)
        return failure_set(&builder->failure, "image", "NOT_A_KERNEL", errno, "the ramdisk %s cannot be read: %s",
                           request->ramdisk, builder->failure.said);
    image->xenstore_evtchn = (unsigned int)build->store_port;
    image->console_evtchn = (unsigned int)build->console_port;
    image->xenstore_domid = builder->store_domid;
    image->console_domid = builder->console_domid;
    image->max_vcpus = request->vcpus;
    if (request->pvh) {
        uint64_t bytes = request->memory_kib << 10;
        image->target_pages = (xen_pfn_t)(bytes >> XC_PAGE_SHIFT);
        image->mmio_start = MMIO_START;
        image->mmio_size = GIB_4 - MMIO_START;
        image->lowmem_end = bytes < MMIO_START ? bytes : MMIO_START;
        image->highmem_end = bytes < MMIO_START ? 0 : GIB_4 + bytes - MMIO_START;
    }
    return 0;
}

static int step_attach(struct build *build)
{
    return xc_dom_boot_xen_init(build->image, build->builder->xch, build->built->domid);
}

static int step_parse(struct build *build)
{
    return image_parse(build->builder, build->image, build->kernel->path);
}

static int step_memory_plan(struct build *build)
{
    return xc_dom_mem_init(build->image, (unsigned int)(build->request->memory_kib >> 10));
}

static int step_memory(struct build *build)
{
    return xc_dom_boot_mem_init(build->image);
}

static int step_memory_map(struct build *build)
{
    const struct xc_dom_image *image = build->image;
    struct e820entry map[3] = {
        {.addr = 0, .size = image->lowmem_end, .type = E820_RAM},
        {.addr = SPECIAL_START, .size = X86_HVM_NR_SPECIAL_PAGES << XC_PAGE_SHIFT, .type = E820_RESERVED},
    };
    uint32_t entries = 2;
    if (!build->request->pvh)
        return 0;
    if (image->highmem_end > GIB_4)
        map[entries++] = (struct e820entry){.addr = GIB_4, .size = image->highmem_end - GIB_4, .type = E820_RAM};
    return xc_domain_set_memory_map(build->builder->xch, build->built->domid, map, entries);
}

static int step_build(struct build *build)
{
    return xc_dom_build_image(build->image);
}

static int step_boot(struct build *build)
{
    return xc_dom_boot_image(build->image);
}

static int step_grants(struct build *build)
{
    return xc_dom_gnttab_init(build->image);
}

/* Where a guest with hardware virtualisation looks for its ports; a triple fault is a crash, not a wish to reboot. */
static int step_parameters(struct build *build)
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

static int step_introduce(struct build *build)
{
    const struct xc_dom_image *image = build->image;
    bool pvh = build->request->pvh;
    const struct ring_facts facts = {
        .domid = build->built->domid,
        .store_frame = pvh ? image->xenstore_pfn : xc_dom_p2m(build->image, image->xenstore_pfn),
        .console_frame = pvh ? image->console_pfn : xc_dom_p2m(build->image, image->console_pfn),
        .store_port = (uint32_t)build->store_port,
        .console_port = (uint32_t)build->console_port,
    };
    nodes_introduce(&build->builder->store, &build->rings, &facts);
    return store_send(&build->builder->store, &build->rings);
}

static int step_release(struct build *build)
{
    xc_dom_release(build->image);
    build->image = NULL;
    return 0;
}

static int step_answers(struct build *build)
{
    struct store *store = &build->builder->store;
    if (store_receive(store, &build->nodes) != 0 || store_receive(store, &build->rings) != 0)
        return -1;
    errno = batch_error(&build->nodes) ? batch_error(&build->nodes) : batch_error(&build->rings);
    return errno == 0 ? 0 : -1;
}

static int step_keep(struct build *build)
{
    return domains_add(&build->builder->domains, build->built->domid, build->built->uuid, build->request->name);
}

static const struct {
    const char *name;
    int (*run)(struct build *build);
} STEPS[] = {
    {"name", step_name},
    {"kernel", step_kernel},
    {"create", step_create},
    {"max-vcpus", step_max_vcpus},
    {"max-memory", step_max_memory},
    {"tsc", step_tsc},
    {"paging", step_paging},
    {"ports", step_ports},
    {"nodes", step_nodes},
    {"image", step_image},
    {"attach", step_attach},
    {"parse", step_parse},
    {"memory-plan", step_memory_plan},
    {"memory", step_memory},
    {"memory-map", step_memory_map},
    {"build", step_build},
    {"boot", step_boot},
    {"grants", step_grants},
    {"parameters", step_parameters},
    {"introduce", step_introduce},
    {"release", step_release},
    {"answers", step_answers},
    {"keep", step_keep},
};
#define STEP_COUNT (sizeof STEPS / sizeof STEPS[0])
_Static_assert(STEP_COUNT <= STEPS_MAX, "room for the time of each step");

static uint64_t micros_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int run_step(struct build *build, size_t number)
{
    struct failure *failure = &build->builder->failure;
    const char *name = STEPS[number].name;
    errno = 0;
    if (fault_at(name) == 0 && STEPS[number].run(build) == 0)
        return 0;
    int why = errno != 0 ? errno : EIO;
    bool store = build->builder->store.fd < 0;
    return failure_set(failure, name, store ? "STORE" : NULL, why, "%s", failure->said[0] ? failure->said : strerror(why));
}

/* Answers that are still to come are taken first: the store's connection goes on. */
static void undo(struct build *build)
{
    struct builder *builder = build->builder;
    if (build->nodes.sent)
        store_receive(&builder->store, &build->nodes);
    if (build->rings.sent)
        store_receive(&builder->store, &build->rings);
    if (build->created)
        destroy_domain(builder, build->built->domid);
}

int build_domain(struct builder *builder, const struct build_request *request, struct built *built)
{
    struct build *build = calloc(1, sizeof *build);
    if (!build)
        return failure_set(&builder->failure, "name", "NO_MEMORY", ENOMEM, "no memory for a build");
    *build = (struct build){.builder = builder, .request = request, .built = built};
    int result = 0;
    uint64_t then = micros_now();
    for (size_t number = 0; number < STEP_COUNT && result == 0; number++) {
        result = run_step(build, number);
        uint64_t now = micros_now();
        built->times[built->steps++] = (struct step_time){STEPS[number].name, (uint32_t)(now - then)};
        then = now;
    }
    /* Its mappings of the domain's memory first: they keep a dying one. */
    if (build->image)
        xc_dom_release(build->image);
    if (result != 0)
        undo(build);
    batch_free(&build->nodes);
    batch_free(&build->rings);
    free(build);
    return result;
}
