/* The steps of a build, in the order of their numbers, and what becomes of one that fails. */
#include "build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "destroy.h"
#include "faults.h"
#include "steps.h"

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
