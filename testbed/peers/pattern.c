/* The bytes that both ends know: a linear congruential generator's, repeated. test/support/vchan-pattern.ts makes the same. */
#include "vchan-peer.h"

#include <string.h>

static uint8_t table[PATTERN_PERIOD + CHUNK_MAX];

void pattern_init(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < PATTERN_PERIOD; i++) {
        state = state * 1664525u + 1013904223u;
        table[i] = (uint8_t)(state >> 24);
    }
    memcpy(table + PATTERN_PERIOD, table, CHUNK_MAX);
}

const uint8_t *pattern_at(uint64_t offset)
{
    return table + offset % PATTERN_PERIOD;
}
