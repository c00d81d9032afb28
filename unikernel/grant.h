/* Pages lent to other domains, and pages of theirs mapped here. */
#ifndef GRANT_H
#define GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen.h"

void grant_init(void);

/* Lends pages in a row for reading and writing, under references in a row; returns the first, or 0: there are too few. */
uint32_t grant_give(domid_t peer, const uint8_t *first, uint32_t pages);
/* Nobody gets the reference but grant_give_as(), which is to follow. */
bool grant_keep(uint32_t reference);
void grant_give_as(uint32_t reference, domid_t peer, const uint8_t *page);
/* Takes pages back; false while the peer has one of them mapped: none may be used for anything else then. */
bool grant_take_back(uint32_t first, uint32_t count);
/* References that are free. */
uint32_t grant_free(void);

/* Maps pages of `peer`, one behind the other; NULL: one of the references is none of its, or there is no room. */
uint8_t *grant_map(domid_t peer, const uint32_t *references, uint32_t pages, bool writable);
void grant_unmap(uint8_t *first, uint32_t pages);

#endif
