/* What arch.h asks for, where both kinds of guest do the same, and the choice between them where not. */
#include "x86.h"

uint8_t hypercall_way;
_Alignas(PAGE_BYTES) uint8_t shared_info_page[PAGE_BYTES];
_Alignas(PAGE_BYTES) uint8_t grant_pages[GRANT_FRAMES][PAGE_BYTES];

uint64_t arch_frame_of(const void *page)
{
    return is_pv() ? pv_frame_of(page) : (uintptr_t)page / PAGE_BYTES;
}

volatile uint8_t *arch_grant_table(void)
{
    return (is_pv() ? pv_map_grant_table() : pvh_map_grant_table()) ? grant_pages[0] : NULL;
}

/* PVH has it mapped already, far above the memory that such a guest is given. */
uint8_t *arch_window(void)
{
    return !is_pv() || pv_make_window() ? (uint8_t *)WINDOW_BASE : NULL;
}

void arch_relax(void)
{
    __builtin_ia32_pause();
}

void *arch_new_stack(void *top, void (*entry)(void))
{
    void **stack = top;
    *--stack = NULL; /* where a function's return address would be: keeps the alignment that functions expect */
    *--stack = (void *)entry;
    return stack - 6; /* the registers that arch_switch takes from it */
}

/* xen/include/public/xen.h, struct vcpu_time_info: `version` is odd while Xen writes, and another one afterwards. */
static uint64_t time_of(uint64_t (*read_ticks)(void))
{
    const volatile uint8_t *info = shared_info_page + SHARED_TIME;
    uint32_t version;
    uint64_t nanoseconds;
    do {
        version = *(const volatile uint32_t *)info;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        int64_t ticks = (int64_t)(read_ticks() - *(const volatile uint64_t *)(info + 8));
        const int8_t shift = *(const volatile int8_t *)(info + 28);
        ticks = shift < 0 ? ticks >> -shift : ticks << shift;
        nanoseconds = *(const volatile uint64_t *)(info + 16) +
                      (uint64_t)((__int128)ticks * *(const volatile uint32_t *)(info + 24) >> 32);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) != 0 || version != *(const volatile uint32_t *)info);
    return nanoseconds;
}

static uint64_t now(void)
{
    return __builtin_ia32_rdtsc();
}

/* Before Xen's last look at the clock: that many ticks less than none. */
static uint64_t at_the_first_instruction(void)
{
    return began_ticks;
}

uint64_t arch_time_ns(void)
{
    return time_of(now);
}

uint64_t arch_began_ns(void)
{
    return time_of(at_the_first_instruction);
}
