/*
 * The PV guest: paging is on and the page tables are Xen's business, so a page of another owner is mapped by asking Xen to
 * change one entry. xen/include/public/xen.h.
 */
#include "../../xen.h"
#include "x86.h"

struct start_info {
    char magic[32];
    uint64_t pages;
    uint64_t shared_info; /* machine address */
    uint32_t flags;
    uint64_t store_frame;
    uint32_t store_port;
    uint64_t console_frame;
    uint32_t console_port;
    uint64_t page_tables; /* virtual address; the table of level 4, behind it those of 3, 2 and 1 */
    uint64_t page_table_frames;
    const uint64_t *frame_list;
    uint64_t module_start, module_bytes;
    char command_line[1024];
};

/* The least that the domain builder maps (xen:tools/libs/guest/xg_dom_x86.c). */
#define MAPPED_BYTES 0x400000ul
#define PAGE_PRESENT 1ul
#define PAGE_WRITABLE_USER 7ul
#define INVALIDATE_LOCAL 2 /* UVMF_INVLPG */
#define TABLE_ENTRIES 512

static const struct start_info *start;
static _Alignas(PAGE_BYTES) uint8_t store_page[PAGE_BYTES], console_page[PAGE_BYTES];
static _Alignas(PAGE_BYTES) uint64_t window_tables[WINDOW_PAGES / TABLE_ENTRIES][TABLE_ENTRIES];

uint64_t pv_frame_of(const void *page)
{
    return start->frame_list[(uintptr_t)page / PAGE_BYTES];
}

static int map(void *page, uint64_t frame, uint64_t rights)
{
    return (int)arch_hypercall(HYPERCALL_UPDATE_VA_MAPPING, (uintptr_t)page, frame * PAGE_BYTES | rights, INVALIDATE_LOCAL);
}

bool pv_map_grant_table(void)
{
    uint64_t frames[GRANT_FRAMES];
    struct gnttab_setup_table setup = {.domid = DOMID_SELF, .frames = GRANT_FRAMES, .frame_list = frames};
    if (arch_hypercall(HYPERCALL_GRANT_TABLE_OP, GNTTABOP_SETUP_TABLE, (uintptr_t)&setup, 1) != 0 || setup.status != 0)
        return false;
    for (int i = 0; i < GRANT_FRAMES; i++)
        if (map(grant_pages[i], frames[i], PAGE_WRITABLE_USER) != 0)
            return false;
    return true;
}

/* Two page tables of our own: read-only to us, as Xen wants them, and then entered into the table of level 2. */
bool pv_make_window(void)
{
    const uint64_t *level_2 = (const uint64_t *)(start->page_tables + 2 * PAGE_BYTES);
    for (int i = 0; i < WINDOW_PAGES / TABLE_ENTRIES; i++) {
        const uint64_t frame = pv_frame_of(window_tables[i]);
        struct {
            uint64_t address, value;
        } update = {
            pv_frame_of(level_2) * PAGE_BYTES + (WINDOW_BASE / (TABLE_ENTRIES * PAGE_BYTES) + (unsigned)i) * sizeof *level_2,
            frame * PAGE_BYTES | PAGE_WRITABLE_USER,
        };
        if (map(window_tables[i], frame, PAGE_WRITABLE_USER & ~2ul) != 0 ||
            arch_hypercall(HYPERCALL_MMU_UPDATE, (uintptr_t)&update, 1, 0) != 0)
            return false;
    }
    return true;
}

__attribute__((noreturn)) void boot_pv(const struct start_info *info)
{
    start = info;
    hypercall_way = HYPERCALL_SYSCALL;
    map(shared_info_page, info->shared_info / PAGE_BYTES, PAGE_WRITABLE_USER);
    map(store_page, info->store_frame, PAGE_WRITABLE_USER);
    map(console_page, info->console_frame, PAGE_WRITABLE_USER);
    /* The builder's own things end with the page tables and one page of stack, which nobody uses. */
    const uintptr_t from = info->page_tables + info->page_table_frames * PAGE_BYTES;
    const uintptr_t to = info->pages * PAGE_BYTES < MAPPED_BYTES ? info->pages * PAGE_BYTES : MAPPED_BYTES;
    const struct boot_info boot = {
        .command_line = info->command_line,
        .memory = (uint8_t *)from,
        .memory_pages = from < to ? (to - from) / PAGE_BYTES : 0,
        .store_page = store_page,
        .store_port = info->store_port,
        .console_page = info->console_frame != 0 ? console_page : NULL,
        .console_port = info->console_port,
        .events_pending = (unsigned long *)(shared_info_page + SHARED_EVENTS_PENDING),
    };
    guest_main(&boot);
}
