/* One byte a page, first fit: a guest of 4 MiB has fewer than a thousand. */
#include "page.h"

#include "arch.h"
#include "text.h"

static uint8_t taken[PAGES_MAX];
static uint8_t *base;
static size_t count, free_count;

void page_init(uint8_t *memory, size_t pages)
{
    base = memory;
    count = free_count = pages < PAGES_MAX ? pages : PAGES_MAX;
}

size_t find_run(uint8_t *map, size_t bytes, size_t wanted)
{
    size_t run = 0;
    for (size_t i = 0; i < bytes; i++) {
        run = map[i] ? 0 : run + 1;
        if (run < wanted)
            continue;
        const size_t first = i + 1 - wanted;
        memset(map + first, 1, wanted);
        return first;
    }
    return bytes;
}

void *page_take(size_t pages)
{
    const size_t first = find_run(taken, count, pages);
    if (first == count)
        return NULL;
    free_count -= pages;
    return base + first * PAGE_BYTES;
}

void page_give(void *first, size_t pages)
{
    memset(taken + ((uint8_t *)first - base) / PAGE_BYTES, 0, pages);
    free_count += pages;
}

size_t page_free(void)
{
    return free_count;
}
