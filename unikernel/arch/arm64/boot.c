/*
 * From the device tree to guest_main: where memory is, what Xen shares and where it is put. The pages of Xen's go into the address
 * space that the tree's hypervisor node sets apart, so that no memory is lost behind them.
 * xen/include/public/arch-arm.h, xen:docs/misc/arm/device-tree/guest.txt.
 */
#include "../../console.h"
#include "../../hvm.h"
#include "../../xen.h"
#include "arm64.h"

#define COMMAND_LINE_BYTES 1024
/* evtchn_pending behind one vcpu_info of 48 bytes (xen/include/public/{xen,arch-arm}.h). */
#define SHARED_EVENTS_PENDING 48
#define BLOCK_BYTES (2ull << 20)
#define GIB (1ull << 30)

extern uint8_t image_end[];
static char command_line[COMMAND_LINE_BYTES];
static struct device_tree tree;

/* The parts of the hypervisor node's address space: the grant table, the shared info page, and from the next block on the window. */
static uint8_t *xen_page(uint64_t index)
{
    return (uint8_t *)tree.xen.start + index * PAGE_BYTES;
}

static uint64_t window_start(void)
{
    return (tree.xen.start + GRANT_FRAMES * PAGE_BYTES + PAGE_BYTES + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
}

static volatile uint8_t *shared_page(uint32_t parameter_index)
{
    const uint64_t address = hvm_parameter(parameter_index) * PAGE_BYTES;
    if (address == 0)
        return NULL;
    mmu_map(address);
    return (volatile uint8_t *)address;
}

uint64_t arch_frame_of(const void *page)
{
    return (uintptr_t)page / PAGE_BYTES;
}

volatile uint8_t *arch_grant_table(void)
{
    /* The last one first: the table grows once. */
    for (int i = GRANT_FRAMES - 1; i >= 0; i--)
        if (hvm_put_into(xen_page((uint64_t)i), SPACE_GRANT_TABLE, (uint64_t)i) != 0)
            return NULL;
    return xen_page(0);
}

uint8_t *arch_window(void)
{
    const uint64_t start = window_start();
    if (start + WINDOW_PAGES * PAGE_BYTES > tree.xen.start + tree.xen.bytes)
        return NULL;
    for (uint64_t block = start; block < start + WINDOW_PAGES * PAGE_BYTES; block += BLOCK_BYTES)
        mmu_map(block);
    return (uint8_t *)start;
}

void arch_relax(void)
{
    __asm__ volatile("yield");
}

void *arch_new_stack(void *top, void (*entry)(void))
{
    uint64_t *registers = (uint64_t *)top - 12; /* those that arch_switch takes from it: x29, x30, the rest */
    registers[0] = 0;
    registers[1] = (uintptr_t)entry;
    return registers;
}

/* Behind the image, up to the tree or to the end of the bank; within the GiB that is mapped. */
static size_t free_pages(uint64_t tree_address)
{
    const uint64_t from = (uintptr_t)image_end;
    uint64_t to = tree.memory.start + tree.memory.bytes;
    const uint64_t mapped_end = (from & ~(GIB - 1)) + GIB;
    if (to > mapped_end)
        to = mapped_end;
    if (tree_address >= from && tree_address < to)
        to = tree_address;
    return from < to ? (to - from) / PAGE_BYTES : 0;
}

__attribute__((noreturn)) void boot_arm64(const uint8_t *tree_bytes, uint64_t first_ticks)
{
    const bool found = device_tree_read(tree_bytes, &tree);
    for (int i = 0; tree.command_line != NULL && i < COMMAND_LINE_BYTES - 1 && tree.command_line[i] != '\0'; i++)
        command_line[i] = tree.command_line[i];
    clock_init(first_ticks);
    const struct boot_info boot = {
        .command_line = command_line,
        .memory = image_end,
        .memory_pages = free_pages((uintptr_t)tree_bytes),
        .store_page = shared_page(PARAM_STORE_FRAME),
        .store_port = (uint32_t)hvm_parameter(PARAM_STORE_PORT),
        .console_page = shared_page(PARAM_CONSOLE_FRAME),
        .console_port = (uint32_t)hvm_parameter(PARAM_CONSOLE_PORT),
        .events_pending = (unsigned long *)(xen_page(GRANT_FRAMES) + SHARED_EVENTS_PENDING),
    };
    console_init(boot.console_page, boot.console_port);
    if (!found || tree.xen.start >= GIB)
        guest_crash("no device tree as Xen's toolstack makes it");
    mmu_map(tree.xen.start);
    if (hvm_put_into(xen_page(GRANT_FRAMES), SPACE_SHARED_INFO, 0) != 0)
        guest_crash("no shared info page");
    guest_main(&boot);
}
