/*
 * Time. The guest reads the virtual counter; Xen's own time, in which SCHEDOP_poll takes its deadlines, has another origin. The
 * runstate area tells both apart: state_entry_time is when this processor last began to run (xen/include/public/vcpu.h).
 */
#include "../../xen.h"
#include "arm64.h"

enum { HYPERCALL_VCPU_OP = 24, VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA = 5 };
#define NANOSECONDS_A_SECOND 1000000000ull

struct runstate {
    int32_t state;
    uint64_t state_entry_ns;
    uint64_t times_ns[4];
};

/* Xen writes it from now on. */
static _Alignas(64) volatile struct runstate runstate;
static uint64_t ns_a_tick; /* as a fraction of 2^32 */
static uint64_t first_ticks, first_ns;

static uint64_t ns_of(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * ns_a_tick >> 32);
}

void clock_init(uint64_t ticks)
{
    uint64_t frequency;
    volatile struct runstate *area = &runstate;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    ns_a_tick = (NANOSECONDS_A_SECOND << 32) / frequency;
    first_ticks = ticks;
    /* Before its first instruction the guest did not run: what Xen says of now, it says of then. */
    if (arch_hypercall(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA, 0, (uintptr_t)&area) == 0)
        first_ns = runstate.state_entry_ns & ~(1ull << 63); /* XEN_RUNSTATE_UPDATE */
}

uint64_t arch_time_ns(void)
{
    uint64_t ticks;
    /* Not before what comes before it. */
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return first_ns + ns_of(ticks - first_ticks);
}

uint64_t arch_began_ns(void)
{
    return first_ns;
}
