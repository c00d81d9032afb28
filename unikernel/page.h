/* The guest's free memory, in pages. */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>
#include <stdint.h>

#define PAGES_MAX 1024

void page_init(uint8_t *memory, size_t pages);

/* So many pages in a row, as they were left; NULL: there are none. */
void *page_take(size_t pages);
void page_give(void *first, size_t pages);
size_t page_free(void);

/* The first of `wanted` bytes in a row that are 0 among `bytes`, which become 1; `bytes`: there are none. */
size_t find_run(uint8_t *taken, size_t bytes, size_t wanted);

#endif
