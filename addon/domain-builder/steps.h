/* The steps of a build: what they share, and what each of them does. 0, or -1 with errno or the builder's failure. */
#ifndef STEPS_H
#define STEPS_H

#include <xenctrl.h>
#include <xenguest.h>

#include "build.h"
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
    /* Of a PVH domain: libxenguest copies it into start_info when it boots the image. */
    struct e820entry memory_map[3];
    char cmdline[1100];
};

/* steps_domain.c: a domain without memory. */
int step_name(struct build *build);
int step_create(struct build *build);
int step_max_vcpus(struct build *build);
int step_max_memory(struct build *build);
int step_tsc(struct build *build);
int step_paging(struct build *build);
int step_ports(struct build *build);
int step_parameters(struct build *build);
int step_keep(struct build *build);

/* steps_image.c: its memory, and the kernel in it. */
int step_kernel(struct build *build);
int step_image(struct build *build);
int step_attach(struct build *build);
int step_parse(struct build *build);
int step_memory_plan(struct build *build);
int step_memory(struct build *build);
int step_memory_map(struct build *build);
int step_build(struct build *build);
int step_boot(struct build *build);
int step_grants(struct build *build);
int step_release(struct build *build);

/* steps_store.c: what the store is told, and what it answers. */
int step_nodes(struct build *build);
int step_introduce(struct build *build);
int step_answers(struct build *build);

#endif
