/*
 * The guest's own stage of translation, beyond the entry that the entry code has made: addresses are the same on both sides, and
 * everything is normal write-back memory. What Xen has put nowhere, its stage 2 faults. Arm ARM D8.3.
 */
#include "arm64.h"

#define BLOCK_BYTES (2ull << 20)
#define ENTRIES 512
#define TABLE 3ull
#define BLOCK (1ull << 54 | 0x701ull)

extern uint64_t top_table[ENTRIES];
static _Alignas(PAGE_BYTES) uint64_t low_table[ENTRIES];

void mmu_map(uint64_t address)
{
    low_table[address / BLOCK_BYTES % ENTRIES] = (address & ~(BLOCK_BYTES - 1)) | BLOCK;
    top_table[0] = (uintptr_t)low_table | TABLE;
    /* No entry was valid before: nothing is to be taken back, only the walker must see it. */
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}
