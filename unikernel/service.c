/* The guest's life: serve, say so, and stop when control/shutdown says so (xen:docs/misc/xenstore-paths.pandoc). */
#include "service.h"

#include "arch.h"
#include "connection.h"
#include "listen.h"
#include "settings.h"
#include "store.h"

#define CONTROL_KEY "control/shutdown"
/* For connections to end in, before the guest stops all the same. */
#define STOP_NS 1000000000ull

static bool stopping, control_fired;
static uint64_t ready_ns;

uint64_t service_ready_ns(void)
{
    return ready_ns;
}

bool service_stopping(void *unused)
{
    (void)unused;
    return stopping;
}

uint32_t service_ring_bytes(void)
{
    uint32_t bytes = RING_BYTES_DEFAULT;
    setting_number("ring", 1u << CONDUIT_VCHAN_ORDER_MAX, &bytes);
    return bytes;
}

static void on_control(const char *path)
{
    (void)path;
    control_fired = true;
}

static bool control_has_fired(void *unused)
{
    (void)unused;
    return control_fired;
}

static void stop(uint32_t reason)
{
    stopping = true;
    connection_stop_all();
    listen_stop();
    fiber_wait(connection_none_left, NULL, arch_time_ns() + STOP_NS);
    /* The reply comes after everything that was posted before. */
    store_write(CONTROL_KEY, "");
    guest_end(reason);
}

/* The watch fires once at first; a key that is empty, or unknown, asks for nothing. */
static void obey_control(void *unused)
{
    char order[16];
    store_watch(CONTROL_KEY, on_control);
    for (;;) {
        fiber_wait(control_has_fired, unused, 0);
        control_fired = false;
        if (store_read(CONTROL_KEY, order, sizeof order) < 0)
            continue;
        if (text_equals(order, "poweroff"))
            stop(SHUTDOWN_POWEROFF);
        else if (text_equals(order, "reboot"))
            stop(SHUTDOWN_REBOOT);
    }
}

/* The keys of a port first: its client may be waiting for nothing else. The wait for a name ends with an order to stop, too. */
void service_start(void *unused)
{
    const char *port = setting("port"), *name = setting("name"), *ready = setting("ready");
    if (port != NULL)
        direct_start(port);
    if (!fiber_start(obey_control, unused))
        guest_crash("memory");
    if (name != NULL)
        listen_start(name);
    store_post_write(ready != NULL ? ready : READY_KEY, "1");
    ready_ns = arch_time_ns();
    console_line("serves");
}
