/* What the files of this architecture share. */
#ifndef ARM64_H
#define ARM64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../arch.h"

struct range {
    uint64_t start, bytes;
};

/* What the guest needs of the device tree that the toolstack has made (xen:docs/misc/arm/device-tree/guest.txt). */
struct device_tree {
    uint64_t bytes;
    const char *command_line; /* in the tree; NULL: there is none */
    struct range memory;      /* the first bank */
    struct range xen;         /* address space for pages of Xen's and of others */
};

/* False: what lies there is no device tree. */
bool device_tree_read(const uint8_t *tree, struct device_tree *found);

/* Maps the 2 MiB around an address below 1 GiB, as it is, as normal memory. */
void mmu_map(uint64_t address);

/* Takes Xen's time for one at which this processor's counter stood at `ticks`. */
void clock_init(uint64_t first_ticks);

#endif
