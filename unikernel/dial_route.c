/* A few names at a time, each with as many connections as there are. */
#include "dial_route.h"

#include "connection_table.h"
#include "mailbox.h"

#define ROUTES_MAX 4

static struct route routes[ROUTES_MAX];

/* The server is gone when the directory is: the registrar takes it away. */
static void look_for_directory(void *argument)
{
    char nothing[1];
    struct route *route = argument;
    if (store_read(route->directory, nothing, sizeof nothing) >= 0)
        return;
    for (struct connection *c = connections; c < connections + CONNECTIONS_MAX; c++)
        if (c->used && c->route == route)
            c->channel.gone = true;
}

static void on_event(const char *path)
{
    for (struct route *route = routes; route < routes + ROUTES_MAX; route++)
        if (route->users > 0 && text_starts(path, route->directory)) {
            route->events++;
            if (route->admitted && text_equals(path, route->directory))
                fiber_start(look_for_directory, route);
        }
}

static struct route *find(const char *name)
{
    struct route *free = NULL;
    for (struct route *route = routes; route < routes + ROUTES_MAX; route++) {
        if (route->users == 0)
            free = route;
        else if (text_equals(route->name, name))
            return route;
    }
    if (free != NULL) {
        *free = (struct route){0};
        format(free->name, sizeof free->name, "%s", name);
    }
    return free;
}

static bool be_admitted(struct route *route, uint64_t deadline_ns)
{
    char path[STORE_PATH_BYTES], text[8];
    store_path(path, "%s/%s", CONDUIT_PATH_ROOT, route->name);
    const long length = store_read(path, text, sizeof text);
    if (length < 0 || !text_number(text, (size_t)length, CONDUIT_DOMID_FIRST_RESERVED - 1, &route->server) ||
        route->server == own_domid())
        return false;
    store_path(route->directory, "%s/listen/%u", path, own_domid());
    route->watch = store_watch(route->directory, on_event);
    return route->watch != 0 && mailbox_ask(MAILBOX_WANT, route->name, deadline_ns);
}

struct route *route_enter(const char *name, uint64_t deadline_ns)
{
    struct route *route = find(name);
    if (route == NULL)
        return NULL;
    route->users++;
    if (!route->admitted && !(route->admitted = be_admitted(route, deadline_ns))) {
        route_leave(route);
        return NULL;
    }
    return route;
}

void route_leave(struct route *route)
{
    if (--route->users > 0)
        return;
    if (route->watch != 0)
        store_unwatch(route->directory, route->watch);
    mailbox_withdraw(MAILBOX_WANT, route->name);
}
