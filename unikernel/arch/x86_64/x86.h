/* What the files of this architecture share. */
#ifndef X86_H
#define X86_H

#include <stdbool.h>
#include <stdint.h>

#include "../../arch.h"

/* How a hypercall is made: the instruction depends on the kind of guest and on the processor. */
enum hypercall_way { HYPERCALL_SYSCALL, HYPERCALL_VMMCALL, HYPERCALL_VMCALL };
extern uint8_t hypercall_way;

/* The processor's time at the first instruction. */
extern uint64_t began_ticks;

/* Where vcpu_time_info and evtchn_pending are in the shared info page (xen/include/public/{xen,arch-x86/xen}.h). */
#define SHARED_TIME 32
#define SHARED_EVENTS_PENDING 2048

/* Pages of ours whose place in the address space pages of Xen's take. */
extern uint8_t shared_info_page[PAGE_BYTES], grant_pages[GRANT_FRAMES][PAGE_BYTES];

/* The address space for pages of others: below 1 GiB, where PVH has page tables and PV has none of its own. */
#define WINDOW_BASE 0x38000000ul

/* The PV part of what arch.h asks for; PVH needs less. */
uint64_t pv_frame_of(const void *page);
bool pv_map_grant_table(void);
bool pv_make_window(void);
bool pvh_map_grant_table(void);

static inline bool is_pv(void)
{
    return hypercall_way == HYPERCALL_SYSCALL;
}

#endif
