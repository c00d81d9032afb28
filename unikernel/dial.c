/*
 * A client's side, for applications: connect_to() by name, through the registrar and the server's `listen`, or by domid and
 * port. What the server wrote is read once and distrusted: its keys must be its own and in range.
 */
#include "arch.h"
#include "dial_route.h"
#include "join.h"
#include "mailbox.h"
#include "store.h"

/* For all of one connection: the registrar's answer, the server's, and the channel. */
#define DIAL_NS 10000000000ull

/* A number that `owner` has written; 0: there is none, or it is somebody else's, or none that can be. */
static uint32_t read_key(const char *directory, const char *key, uint32_t owner)
{
    char path[STORE_PATH_BYTES], text[16];
    uint32_t number;
    store_path(path, "%s/%s", directory, key);
    const long length = store_read(path, text, sizeof text);
    return text_number(text, (size_t)length, UINT32_MAX, &number) && store_owner(path) == (long)owner ? number : 0;
}

static struct connection *join_at(const char *directory, uint32_t server)
{
    const uint32_t reference = read_key(directory, CONDUIT_KEY_RING_REF, server);
    const uint32_t port = read_key(directory, CONDUIT_KEY_EVENT_CHANNEL, server);
    if (reference < CONDUIT_GREF_FIRST || port == 0)
        return NULL;
    return connection_join((domid_t)server, reference, port);
}

/* `DOMID/PORT` of vchan://. */
static struct connection *dial_direct(const char *address)
{
    char directory[STORE_PATH_BYTES];
    uint32_t server;
    size_t digits = 0;
    while (address[digits] != '/' && address[digits] != '\0')
        digits++;
    if (!text_number(address, digits, CONDUIT_DOMID_FIRST_RESERVED - 1, &server) || address[digits] != '/')
        return NULL;
    store_path(directory, "%s/%u/%s/%u/%s", CONDUIT_PATH_DOMAINS, server, CONDUIT_RELATIVE_VCHAN, own_domid(),
           address + digits + 1);
    return join_at(directory, server);
}

static bool route_has_event(void *argument)
{
    const struct route_event *seen = argument;
    return seen->route->events != seen->count;
}

/* Until the server has answered. True: it has accepted. */
static bool accepted(struct route *route, const char *entry, uint64_t deadline_ns)
{
    char text[ENTRY_BYTES];
    struct connect_request unused;
    for (;;) {
        struct route_event seen = {route, route->events};
        const long length = store_read(entry, text, sizeof text);
        const enum entry_kind kind = length < 0 ? ENTRY_WRONG : entry_parse(text, (size_t)length, &unused);
        if (kind != ENTRY_CONNECT)
            return kind == ENTRY_ACCEPTED;
        if (!fiber_wait(route_has_event, &seen, deadline_ns))
            return false;
    }
}

static struct connection *ask(struct route *route, const char *port, uint64_t deadline_ns)
{
    char id[CONNECTION_ID_DIGITS + 1], entry[STORE_PATH_BYTES], text[STORE_VALUE_BYTES], keys[STORE_PATH_BYTES];
    const bool has_port = port[0] != '\0';
    struct connection *connection = NULL;
    /* Unique among this domain's requests, which nobody else can write among: no two are made at the same time. */
    connection_id_format(id, request_id(arch_time_ns()));
    store_path(entry, "%s/%s", route->directory, id);
    format(text, sizeof text, "(connect%s%s%s (mode stream))", has_port ? " (port " : "", port, has_port ? ")" : "");
    store_path(keys, "%s/%u/%s/%u/%s", CONDUIT_PATH_DOMAINS, route->server, CONDUIT_RELATIVE_VCHAN, own_domid(), id);
    if (store_write(entry, text) >= 0 && accepted(route, entry, deadline_ns))
        connection = join_at(keys, route->server);
    store_post_remove(entry);
    return connection;
}

static struct connection *dial_name(const char *name, const char *port)
{
    const uint64_t deadline_ns = arch_time_ns() + DIAL_NS;
    struct route *route = route_enter(name, deadline_ns);
    if (route == NULL)
        return NULL;
    struct connection *connection = ask(route, port, deadline_ns);
    if (connection != NULL)
        connection->route = route;
    else
        route_leave(route);
    return connection;
}

struct connection *connect_to(const char *address)
{
    static const char direct[] = "vchan://";
    char name[NAME_BYTES], port[NAME_BYTES];
    if (address == NULL)
        return NULL;
    if (text_starts(address, direct))
        return dial_direct(address + sizeof direct - 1);
    return address_parse(address, name, port) ? dial_name(name, port) : NULL;
}

void close_connection(struct connection *connection)
{
    struct route *route = connection->route;
    connection_finish(connection);
    if (route != NULL)
        route_leave(route);
}
