/* Whatever goes wrong, nothing of a request stays: no pages, no keys, and the entry says why or is gone. */
#include "accept.h"

#include "arch.h"
#include "mailbox.h"
#include "service.h"

/* How long a client may take from its request to its coming. */
#define HANDSHAKE_NS 10000000000ull

static void client_directory(char *path, domid_t client)
{
    store_path(path, "%s/%u", CONDUIT_RELATIVE_VCHAN, (uint32_t)client);
}

void offer_path(struct offer *offer)
{
    char id[CONNECTION_ID_DIGITS + 1], directory[STORE_PATH_BYTES];
    const uint32_t client = request_client(offer->request);
    connection_id_format(id, request_id(offer->request));
    store_path(offer->entry, "%s/%s/listen/%u/%s", CONDUIT_PATH_ROOT, offer->name, client, id);
    client_directory(directory, (domid_t)client);
    store_path(offer->keys, "%s/%s", directory, id);
}

void offer_refuse(const struct offer *offer, const char *code)
{
    char answer[48];
    format(answer, sizeof answer, "refused %s", code);
    store_post_write(offer->entry, answer);
}

static void publish_key(const char *directory, const char *key, uint32_t value, domid_t client)
{
    char path[STORE_PATH_BYTES], number[16];
    store_path(path, "%s/%s", directory, key);
    format(number, sizeof number, "%u", value);
    store_post_write(path, number);
    /* Domain 0 may read everything. */
    if (client != 0)
        store_post_rights(path, own_domid(), client);
}

void publish_keys(const char *directory, const struct connection *connection)
{
    publish_key(directory, CONDUIT_KEY_EVENT_CHANNEL, connection->channel.port, connection->channel.peer);
    publish_key(directory, CONDUIT_KEY_RING_REF, connection->page_reference, connection->channel.peer);
}

static bool came_or_gone(void *argument)
{
    struct connection *connection = argument;
    return connection->channel.gone || connection_came(connection) || service_stopping(NULL);
}

/* The table of open connections, for people and for jitsud to read. */
static void flow_path(char *path, const struct connection *connection)
{
    char id[CONNECTION_ID_DIGITS + 1];
    connection_id_format(id, request_id(connection->request));
    store_path(path, "%s/%u/%s", CONDUIT_PATH_FLOWS, own_domid(), id);
}

static void write_flow(const struct connection *connection, const char *name)
{
    char path[STORE_PATH_BYTES], line[STORE_VALUE_BYTES];
    const bool has_port = connection->port[0] != '\0';
    flow_path(path, connection);
    format(line, sizeof line, "(established (client %u) (name %s)%s%s%s)", (uint32_t)connection->channel.peer, name,
           has_port ? " (port " : "", connection->port, has_port ? ")" : "");
    store_post_write(path, line);
}

/* Lets the client in, or gives up. False: it did not come. */
static bool meet(struct connection *connection, const struct offer *offer)
{
    const bool in_time = fiber_wait(came_or_gone, connection, arch_time_ns() + HANDSHAKE_NS);
    store_post_remove(offer->keys);
    if (in_time && !connection->channel.gone && connection_came(connection))
        return true;
    store_post_remove(offer->entry);
    return false;
}

static void run(void *argument)
{
    struct connection *connection = argument;
    struct offer offer = {.request = connection->request, .name = connection->name};
    const domid_t client = connection->channel.peer;
    char path[STORE_PATH_BYTES];
    offer_path(&offer);
    if (meet(connection, &offer)) {
        write_flow(connection, offer.name);
        app(connection);
        flow_path(path, connection);
        store_post_remove(path);
        connection_finish(connection);
    } else {
        connection_release(connection);
    }
    /* The directory of the client's keys, with the last of them. Domain 0's may hold those of direct.c. */
    if (client != 0 && connection_count_accepted(client) == 0) {
        client_directory(path, client);
        store_post_remove(path);
    }
}

void offer_accept(const struct offer *offer, const struct connect_request *request)
{
    const domid_t client = request_client(offer->request);
    const uint32_t usual = service_ring_bytes(), wanted = request->ring_bytes;
    /* Domain 0 may ask for more than the usual; what another guest took, others would lack. */
    const bool granted = wanted != 0 && (client == 0 || wanted < usual);
    struct connection *connection = connection_offer(client, granted ? wanted : usual, BY_ITSELF);
    if (connection == NULL) {
        offer_refuse(offer, "ECONNREFUSED");
        return;
    }
    connection->request = offer->request;
    connection->name = offer->name;
    memcpy(connection->port, request->port, sizeof connection->port);
    publish_keys(offer->keys, connection);
    if (fiber_start(run, connection)) {
        store_post_write(offer->entry, "accepted");
    } else {
        store_post_remove(offer->keys);
        offer_refuse(offer, "ECONNREFUSED");
        connection_release(connection);
    }
}
