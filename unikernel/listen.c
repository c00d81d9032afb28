/*
 * Who asks for our name: events below /conduit/NAME/listen, put in a queue by their paths, and looked at one after the other.
 * What a client writes there is read once and distrusted; its identity is the directory that it writes in.
 */
#include "listen.h"

#include "accept.h"
#include "arch.h"
#include "connection.h"
#include "mailbox.h"
#include "service.h"
#include "store.h"

#define QUEUE_LENGTH 64
/* A directory's reply: what the store may send at all. */
#define CHILDREN_BYTES (CONDUIT_XS_PAYLOAD_MAX + 1)

static char name[NAME_BYTES], port[NAME_BYTES], root[STORE_PATH_BYTES];
/* At which requests something happened; one without an id stands for its client's whole directory. */
static uint64_t queue[QUEUE_LENGTH];
static uint32_t queued;
/* More happened than the queue can hold, or something that names no entry: everything has to be looked at. */
static bool look_at_all;

static void enqueue(uint64_t request)
{
    for (uint32_t i = 0; i < queued; i++)
        if (queue[i] == request)
            return;
    if (queued < QUEUE_LENGTH)
        queue[queued++] = request;
    else
        look_at_all = true;
}

static uint64_t dequeue(void)
{
    const uint64_t first = queue[0];
    queued--;
    for (uint32_t i = 0; i < queued; i++)
        queue[i] = queue[i + 1];
    return first;
}

/* `root`/CLIENT or `root`/CLIENT/ID; anything else is none of the protocol's. */
static void on_event(const char *path)
{
    const char *client = path + strlen(root);
    uint32_t domid;
    uint64_t id = 0;
    size_t digits = 0;
    if (!text_starts(path, root) || *client++ != '/') {
        look_at_all = true;
        return;
    }
    while (client[digits] != '\0' && client[digits] != '/')
        digits++;
    if (text_number(client, digits, CONDUIT_DOMID_FIRST_RESERVED - 1, &domid) &&
        (client[digits] == '\0' || connection_id_parse(client + digits + 1, &id)))
        enqueue(request_of(domid, id));
}

static bool something_happened(void *unused)
{
    return queued > 0 || look_at_all || service_stopping(unused);
}

/* The registrar takes a directory away when its client has died or given the name up, after its channels have ended. */
static void look_at_directory(domid_t client)
{
    char path[STORE_PATH_BYTES], nothing[1];
    store_path(path, "%s/%u", root, (uint32_t)client);
    /* Domain 0 does not die, and its processes come and go. */
    if (client != 0 && connection_count_accepted(client) > 0 && store_read(path, nothing, sizeof nothing) < 0)
        connection_client_died(client);
}

static void look_at_entry(uint64_t asked)
{
    char text[ENTRY_BYTES];
    struct offer offer = {.request = asked, .name = name};
    struct connect_request request;
    struct connection *known = connection_accepted(asked);
    /* Ours already: of interest only while its client has not come, who may have taken the request back. */
    if (known != NULL && vchan_came(&known->channel))
        return;
    offer_path(&offer);
    const long length = store_read(offer.entry, text, sizeof text);
    if (known != NULL) {
        known->channel.gone |= length < 0;
        return;
    }
    if (length < 0)
        return;
    switch (entry_parse(text, (size_t)length, &request)) {
    case ENTRY_CONNECT:
        if (request.message_mode)
            offer_refuse(&offer, "CONDUIT_MODE");
        else if (port[0] != '\0' && !text_equals(port, request.port))
            offer_refuse(&offer, "ECONNREFUSED");
        else
            offer_accept(&offer, &request);
        break;
    case ENTRY_WRONG:
        offer_refuse(&offer, "CONDUIT_PROTOCOL");
        break;
    default: /* an answer, ours or not */
        break;
    }
}

static void each_child(const char *path, char *children, void (*look)(const char *child, domid_t client), domid_t client)
{
    const long length = store_directory(path, children, CHILDREN_BYTES);
    /* A list that was cut off may end in half a name, which is none. */
    for (long at = 0; at < length && at < CHILDREN_BYTES - 1; at += (long)strlen(children + at) + 1)
        look(children + at, client);
}

static void look_at_child(const char *child, domid_t client)
{
    uint64_t id;
    if (connection_id_parse(child, &id))
        look_at_entry(request_of(client, id));
}

static void look_at_client(const char *child, domid_t unused)
{
    static char children[CHILDREN_BYTES];
    char path[STORE_PATH_BYTES];
    uint32_t client;
    (void)unused;
    if (!text_number(child, strlen(child), CONDUIT_DOMID_FIRST_RESERVED - 1, &client))
        return;
    store_path(path, "%s/%u", root, client);
    each_child(path, children, look_at_child, (domid_t)client);
}

static void serve(void *unused)
{
    static char clients[CHILDREN_BYTES];
    for (;;) {
        fiber_wait(something_happened, NULL, 0);
        if (service_stopping(unused))
            return;
        if (queued > 0) {
            const uint64_t request = dequeue();
            if (request_id(request) == 0)
                look_at_directory(request_client(request));
            else
                look_at_entry(request);
        } else {
            look_at_all = false;
            each_child(root, clients, look_at_client, 0);
        }
    }
}

void listen_start(const char *address)
{
    if (!address_parse(address, name, port))
        guest_crash("name");
    store_path(root, "%s/%s/listen", CONDUIT_PATH_ROOT, name);
    /* Before the name is ours: a client may be let in, and write, the moment that it is. */
    store_watch(root, on_event);
    if (!mailbox_ask(MAILBOX_REGISTER, name, 0))
        guest_crash("name");
    if (!fiber_start(serve, NULL))
        guest_crash("memory");
}

void listen_stop(void)
{
    if (name[0] != '\0')
        mailbox_withdraw(MAILBOX_REGISTER, name);
}
