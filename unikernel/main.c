/* The guest's beginning, and the loop that everything runs in. */
#include "arch.h"
#include "connection.h"
#include "console.h"
#include "event.h"
#include "fiber.h"
#include "grant.h"
#include "page.h"
#include "service.h"
#include "settings.h"
#include "store.h"

/* The longest that the guest looks for work before it sleeps: about what a wake-up costs. */
#define SPIN_NS 200000ull
#define LOOKS_A_TIME_READ 16

static uint64_t spin_ns = SPIN_NS;

static bool round(void)
{
    store_progress();
    const bool worked = fiber_round();
    connection_signal_all();
    return worked;
}

/* True: there was work. What brought nothing is done for half as long the next time. */
static bool spin(void)
{
    if (spin_ns == 0)
        return false;
    const uint64_t until = arch_time_ns() + spin_ns;
    do {
        for (int look = 0; look < LOOKS_A_TIME_READ; look++) {
            if (round()) {
                spin_ns = SPIN_NS;
                return true;
            }
            arch_relax();
        }
    } while (arch_time_ns() < until);
    spin_ns /= 2;
    return false;
}

static void sleep_until_event(void)
{
    const uint64_t before = arch_time_ns();
    event_sleep(fiber_deadline());
    /* It would have been worth while to look that long. */
    if (arch_time_ns() - before < SPIN_NS)
        spin_ns = SPIN_NS;
}

static __attribute__((noreturn)) void loop(void)
{
    for (;;) {
        if (round() || spin())
            continue;
        /* Order matters: what comes after this ends the sleep, what came before it is seen by the look that follows. */
        event_clear();
        connection_request_all();
        if (!round())
            sleep_until_event();
    }
}

void guest_main(const struct boot_info *boot)
{
    event_init(boot->events_pending);
    console_init(boot->console_page, boot->console_port);
    page_init(boot->memory, boot->memory_pages);
    grant_init();
    settings_init(boot->command_line);
    store_init(boot->store_page, boot->store_port);
    if (!fiber_start(service_start, NULL))
        guest_crash("memory");
    loop();
}
