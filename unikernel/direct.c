/*
 * libxenvchan's own rendezvous with domain 0, by port: two keys under data/vchan/0. One client at a time finds them; with the
 * client they go, and new ones come for the next. Keys of a channel that the domain's builder has provisioned are its own.
 */
#include "accept.h"
#include "arch.h"
#include "event.h"
#include "service.h"
#include "store.h"

#define CLIENT 0u
/* Between tries to offer another channel when there was no room for one. */
#define AGAIN_NS 50000000ull

static char directory[STORE_PATH_BYTES];
static struct connection *offered;

static bool came_or_stopping(void *unused)
{
    return service_stopping(unused) || connection_came(offered);
}

static bool offer(struct provision provision)
{
    offered = connection_offer(CLIENT, service_ring_bytes(), provision);
    return offered != NULL;
}

static void serve(void *unused)
{
    for (;;) {
        fiber_wait(came_or_stopping, NULL, 0);
        /* A second client would write over the first one's bytes. */
        store_post_remove(directory);
        if (service_stopping(unused))
            break;
        if (!fiber_start(connection_run, offered))
            connection_release(offered);
        while (!offer(BY_ITSELF))
            if (fiber_wait(service_stopping, NULL, arch_time_ns() + AGAIN_NS))
                return;
        publish_keys(directory, offered);
    }
    connection_release(offered);
}

/* `provisioned=PORT:REFERENCE`: the builder has offered the port to domain 0 and published both. */
static struct provision read_provision(void)
{
    struct provision provision = BY_ITSELF;
    const char *text = setting("provisioned");
    size_t colon = 0;
    if (text == NULL)
        return provision;
    while (text[colon] != '\0' && text[colon] != ':')
        colon++;
    if (!text_number(text, colon, EVENT_PORT_MAX, &provision.port) || text[colon] != ':' ||
        !text_number(text + colon + 1, strlen(text + colon + 1), UINT32_MAX, &provision.reference) ||
        provision.port == 0 || provision.reference == 0)
        guest_crash("provisioned");
    return provision;
}

void direct_start(const char *port)
{
    const struct provision provision = read_provision();
    store_path(directory, "%s/%u/%s", CONDUIT_RELATIVE_VCHAN, CLIENT, port);
    if (!offer(provision))
        guest_crash("channel");
    if (provision.port == 0)
        publish_keys(directory, offered);
    else
        event_send(provision.port);
    if (!fiber_start(serve, NULL))
        guest_crash("memory");
}
