/*
 * Echoes eight bytes at a time, and says when: for each of them come three numbers behind, little-endian nanoseconds of Xen's
 * time: the guest's first instruction, the moment when it was ready, and now. What bench:summon boots.
 */
#include "app.h"
#include "arch.h"
#include "service.h"

#define WORD 8

void app(struct connection *connection)
{
    uint64_t answer[4];
    size_t filled = 0;
    for (long count; (count = receive(connection, (uint8_t *)answer + filled, WORD - filled)) > 0;) {
        filled += (size_t)count;
        if (filled < WORD)
            continue;
        filled = 0;
        answer[1] = arch_began_ns();
        answer[2] = service_ready_ns();
        answer[3] = arch_time_ns();
        if (!send(connection, answer, sizeof answer))
            return;
    }
}
