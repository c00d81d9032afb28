/*
 * What depends on the processor and on how Xen starts a guest. Everything above this header is the same source for every
 * architecture; everything below it lies in arch/<architecture>/. Barriers and atomics are the compiler's own (__atomic_*).
 */
#ifndef ARCH_H
#define ARCH_H

#include <stddef.h>
#include <stdint.h>

#include "../protocol/conduit-protocol.h"

#define PAGE_BYTES CONDUIT_PAGE_BYTES

/* What the entry code has found and mapped before it calls guest_main. Nothing of it moves afterwards. */
struct boot_info {
    const char *command_line; /* ends with NUL */
    uint8_t *memory;          /* free pages, mapped, page aligned; clean, since Xen scrubs what it gives out */
    size_t memory_pages;
    volatile uint8_t *store_page; /* xen/include/public/io/xs_wire.h */
    uint32_t store_port;
    volatile uint8_t *console_page; /* xen/include/public/io/console.h; NULL: there is none */
    uint32_t console_port;
    unsigned long *events_pending; /* evtchn_pending of the shared info page; every event stays masked */
};

/* The guest from here on: one stack, one processor, no interrupts. Called once by the entry code. */
__attribute__((noreturn)) void guest_main(const struct boot_info *boot);

/* Result of Xen's: 0 or more, or a negative errno of Xen's. What pointers among the arguments point to may change. */
long arch_hypercall(unsigned number, uintptr_t first, uintptr_t second, uintptr_t third);

/* The frame that a grant of this page of our own names: a machine frame under PV, a guest frame elsewhere. */
uint64_t arch_frame_of(const void *page);

/* The grant table's first GRANT_FRAMES frames, one behind the other; NULL when Xen refuses. Called once. */
#define GRANT_FRAMES 2
volatile uint8_t *arch_grant_table(void);

/*
 * WINDOW_PAGES pages of address space with nothing behind them, where GNTTABOP_map_grant_ref may map pages of others: a
 * page's address in it is its host_addr. Called once, when the first page is to be mapped; NULL when it cannot be had.
 */
#define WINDOW_PAGES 1024
uint8_t *arch_window(void);

/* Xen's own time: nanoseconds since it booted, as in the deadline of SCHEDOP_poll. */
uint64_t arch_time_ns(void);

/* The same at the guest's first instruction. */
uint64_t arch_began_ns(void);

/* A hint that this is a loop that waits for another processor. */
void arch_relax(void);

/* Puts the registers that a function keeps on the stack, stores its pointer, and goes on with another stack's. */
void arch_switch(void **store, void *load);

/* What arch_switch loads for a stack that ends at `top` (16 bytes aligned), to begin with `entry`, which never returns. */
void *arch_new_stack(void *top, void (*entry)(void));

#endif
