/* One domain from a kernel to a paused vCPU, in numbered steps (build.c has the table). */
#ifndef BUILD_H
#define BUILD_H

#include "builder.h"

struct build_request {
    uint64_t id;
    const char *kernel, *ramdisk, *name, *cmdline; /* ramdisk may be NULL */
    bool pvh;
    uint64_t memory_kib;
    uint32_t vcpus;
    const char *provisioned; /* NULL, or a path below the domain's, where a channel's keys are written before it runs */
    uint32_t gref;           /* that the guest will grant there */
    bool trace;              /* measure each step */
};

struct step_time {
    const char *name;
    uint32_t micros;
};
#define STEPS_MAX 32

struct built {
    uint32_t domid;
    xen_domain_handle_t uuid;
    uint32_t port; /* of the provisioned channel */
    struct step_time times[STEPS_MAX];
    unsigned int steps;
};

/* Paused, known to the store and in builder->domains; -1 with builder->failure, and nothing left. */
int build_domain(struct builder *builder, const struct build_request *request, struct built *built);

#endif
