/* A domain's memory: filled by libxenguest with the kernel, and with what the kernel is told. */
#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image.h"

/* Of start_info (xen:xen/include/public/xen.h, MAX_GUEST_CMDLINE), with its NUL: libxenguest cuts off what is longer. */
#define CMDLINE_MAX 1024
/* Below 4 GiB of a PVH domain lie, from there up, its special pages (xen:tools/libs/guest/xg_dom_x86.c) and the APIC. */
#define MMIO_START 0xfc000000ull
#define SPECIAL_START (((uint64_t)X86_HVM_END_SPECIAL_REGION - X86_HVM_NR_SPECIAL_PAGES) << XC_PAGE_SHIFT)
#define GIB_4 (1ull << 32)

int step_kernel(struct build *build)
{
    build->kernel = kernels_get(&build->builder->kernels, build->request->kernel, &build->builder->failure);
    return build->kernel ? 0 : -1;
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

int step_image(struct build *build)
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

int step_attach(struct build *build)
{
    return xc_dom_boot_xen_init(build->image, build->builder->xch, build->built->domid);
}

int step_parse(struct build *build)
{
    return image_parse(build->builder, build->image, build->kernel->path);
}

int step_memory_plan(struct build *build)
{
    return xc_dom_mem_init(build->image, (unsigned int)(build->request->memory_kib >> 10));
}

int step_memory(struct build *build)
{
    return xc_dom_boot_mem_init(build->image);
}

int step_memory_map(struct build *build)
{
    struct xc_dom_image *image = build->image;
    struct e820entry *map = build->memory_map;
    uint32_t entries = 2;
    if (!build->request->pvh)
        return 0;
    map[0] = (struct e820entry){.addr = 0, .size = image->lowmem_end, .type = E820_RAM};
    map[1] = (struct e820entry){
        .addr = SPECIAL_START, .size = X86_HVM_NR_SPECIAL_PAGES << XC_PAGE_SHIFT, .type = E820_RESERVED};
    if (image->highmem_end > GIB_4)
        map[entries++] = (struct e820entry){.addr = GIB_4, .size = image->highmem_end - GIB_4, .type = E820_RAM};
    image->e820 = map;
    image->e820_entries = entries;
    return xc_domain_set_memory_map(build->builder->xch, build->built->domid, map, entries);
}

int step_build(struct build *build)
{
    return xc_dom_build_image(build->image);
}

int step_boot(struct build *build)
{
    return xc_dom_boot_image(build->image);
}

int step_grants(struct build *build)
{
    return xc_dom_gnttab_init(build->image);
}

int step_release(struct build *build)
{
    xc_dom_release(build->image);
    build->image = NULL;
    return 0;
}
