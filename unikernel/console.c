/* The console ring, xen/include/public/io/console.h: a queue of bytes to the console daemon, which may not be there. */
#include "console.h"

#include "arch.h"
#include "event.h"
#include "text.h"

#define RING_OFFSET 1024
#define RING_BYTES 2048
#define CONS_OFFSET 3080
#define PROD_OFFSET 3084
#define LINE_BYTES 162

static volatile uint8_t *page;
static uint32_t port, produced;

void console_init(volatile uint8_t *console_page, uint32_t console_port)
{
    page = console_page;
    port = console_port;
    if (page != NULL)
        produced = *(volatile uint32_t *)(page + PROD_OFFSET);
}

static void put(const char *bytes, size_t length)
{
    /* The reader's index is what it says: a wrong one only loses output. */
    const uint32_t consumed = __atomic_load_n((volatile uint32_t *)(page + CONS_OFFSET), __ATOMIC_ACQUIRE);
    if (length > RING_BYTES - (produced - consumed))
        return;
    for (size_t i = 0; i < length; i++)
        page[RING_OFFSET + (produced++ & (RING_BYTES - 1))] = (uint8_t)bytes[i];
    __atomic_store_n((volatile uint32_t *)(page + PROD_OFFSET), produced, __ATOMIC_RELEASE);
    event_send(port);
}

void console_line(const char *pattern, ...)
{
    char line[LINE_BYTES];
    va_list list;
    if (page == NULL)
        return;
    va_start(list, pattern);
    size_t length = format_list(line, sizeof line - 1, pattern, list);
    va_end(list);
    line[length++] = '\n';
    put(line, length);
}

void guest_end(uint32_t reason)
{
    struct sched_shutdown shutdown = {reason};
    for (;;)
        arch_hypercall(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, (uintptr_t)&shutdown, 0);
}

void guest_crash(const char *why)
{
    console_line("crash: %s", why);
    guest_end(SHUTDOWN_CRASH);
}
