/* The grant table, version 1: xen/include/public/grant_table.h. */
#include "grant.h"

#include "arch.h"
#include "page.h"
#include "text.h"

#define REFERENCES (GRANT_FRAMES * PAGE_BYTES / sizeof(struct grant_entry))

static volatile struct grant_entry *table;
/* Ours, not the table's flags: Xen and the peer change those. */
static uint8_t lent[REFERENCES];
static uint32_t free_count;

static uint8_t *window;
static uint8_t window_taken[WINDOW_PAGES];
static uint32_t window_handle[WINDOW_PAGES];

void grant_init(void)
{
    table = (volatile struct grant_entry *)arch_grant_table();
    if (table == NULL)
        return;
    memset(lent, 1, CONDUIT_GREF_FIRST);
    free_count = REFERENCES - CONDUIT_GREF_FIRST;
}

uint32_t grant_free(void)
{
    return free_count;
}

static void lend(uint32_t reference, domid_t peer, const uint8_t *page)
{
    free_count--;
    table[reference].domid = peer;
    table[reference].frame = (uint32_t)arch_frame_of(page);
    /* Order matters: with the flag Xen may look at the rest. */
    __atomic_store_n(&table[reference].flags, GTF_PERMIT_ACCESS, __ATOMIC_RELEASE);
}

uint32_t grant_give(domid_t peer, const uint8_t *first, uint32_t pages)
{
    const size_t reference = free_count < pages ? REFERENCES : find_run(lent, REFERENCES, pages);
    if (reference == REFERENCES)
        return 0;
    for (uint32_t i = 0; i < pages; i++)
        lend((uint32_t)reference + i, peer, first + i * PAGE_BYTES);
    return (uint32_t)reference;
}

bool grant_keep(uint32_t reference)
{
    if (free_count == 0 || reference >= REFERENCES || lent[reference])
        return false;
    lent[reference] = 1;
    return true;
}

void grant_give_as(uint32_t reference, domid_t peer, const uint8_t *page)
{
    lend(reference, peer, page);
}

/* Xen sets GTF_reading and GTF_writing while a page is mapped; one that has neither is ours again at once. */
static bool withdraw(uint32_t reference)
{
    uint16_t flags = GTF_PERMIT_ACCESS;
    return __atomic_compare_exchange_n(&table[reference].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) ||
           flags == 0;
}

bool grant_take_back(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!withdraw(first + i))
            return false;
    memset(lent + first, 0, count);
    free_count += count;
    return true;
}

static bool map_one(size_t slot, domid_t peer, uint32_t reference, bool writable)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (uintptr_t)window + slot * PAGE_BYTES,
        .flags = GNTMAP_HOST_MAP | (writable ? 0 : GNTMAP_READONLY),
        .ref = reference,
        .domid = peer,
    };
    if (arch_hypercall(HYPERCALL_GRANT_TABLE_OP, GNTTABOP_MAP_GRANT_REF, (uintptr_t)&map, 1) != 0 || map.status != 0)
        return false;
    window_handle[slot] = map.handle;
    return true;
}

static void unmap_one(size_t slot)
{
    struct gnttab_unmap_grant_ref unmap = {
        .host_addr = (uintptr_t)window + slot * PAGE_BYTES, .handle = window_handle[slot]};
    arch_hypercall(HYPERCALL_GRANT_TABLE_OP, GNTTABOP_UNMAP_GRANT_REF, (uintptr_t)&unmap, 1);
    window_taken[slot] = 0;
}

uint8_t *grant_map(domid_t peer, const uint32_t *references, uint32_t pages, bool writable)
{
    if (window == NULL)
        window = arch_window();
    const size_t first = window == NULL ? WINDOW_PAGES : find_run(window_taken, WINDOW_PAGES, pages);
    if (first == WINDOW_PAGES)
        return NULL;
    uint8_t *const start = window + first * PAGE_BYTES;
    for (uint32_t i = 0; i < pages; i++)
        if (!map_one(first + i, peer, references[i], writable)) {
            grant_unmap(start, i);
            memset(window_taken + first, 0, pages);
            return NULL;
        }
    return start;
}

void grant_unmap(uint8_t *first, uint32_t pages)
{
    const size_t slot = (size_t)(first - window) / PAGE_BYTES;
    for (size_t i = 0; i < pages; i++)
        unmap_one(slot + i);
}
