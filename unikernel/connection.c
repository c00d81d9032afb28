/* What an application does with a connection, and its end. */
#include "connection.h"

#include "arch.h"
#include "connection_table.h"
#include "event.h"

/* How long the end of a connection waits for a peer that neither ends nor reads. */
#define LINGER_NS 5000000000ull
/* Bytes that one connection moves before the others have a turn. */
#define TURN_BYTES (256u << 10)

static bool stopping;
static uint32_t moved_this_turn;

static bool readable(void *argument)
{
    struct connection *connection = argument;
    return stopping || vchan_readable(&connection->channel);
}

static bool writable(void *argument)
{
    struct connection *connection = argument;
    return vchan_writable(&connection->channel);
}

static bool drained(void *argument)
{
    struct connection *connection = argument;
    return vchan_drained(&connection->channel);
}

/* `bit` is what the peer has to tell for the question to be worth asking again. False: the deadline passed. */
static bool wait_for(struct connection *connection, bool (*ready)(void *), uint8_t bit, uint64_t deadline_ns)
{
    connection->wants |= bit;
    const bool in_time = fiber_wait(ready, connection, deadline_ns);
    connection->wants &= (uint8_t)~bit;
    moved_this_turn = 0;
    return in_time;
}

static void take_turns(long bytes)
{
    moved_this_turn += (uint32_t)bytes;
    if (moved_this_turn < TURN_BYTES)
        return;
    fiber_yield();
    moved_this_turn = 0;
}

long receive(struct connection *connection, void *buffer, size_t room)
{
    for (;;) {
        const long bytes = stopping ? VCHAN_END : vchan_receive(&connection->channel, buffer, (uint32_t)room);
        if (bytes > 0)
            take_turns(bytes);
        if (bytes != VCHAN_WAIT)
            return bytes == VCHAN_END ? 0 : bytes;
        wait_for(connection, readable, CONDUIT_VCHAN_NOTIFY_WRITE, 0);
    }
}

bool send(struct connection *connection, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0) {
        const long sent = vchan_send(&connection->channel, from, (uint32_t)length);
        if (sent < 0)
            return false;
        from += sent;
        length -= (size_t)sent;
        if (sent == VCHAN_WAIT)
            wait_for(connection, writable, CONDUIT_VCHAN_NOTIFY_READ, 0);
        else
            take_turns(sent);
    }
    return true;
}

void break_off(struct connection *connection)
{
    vchan_close(&connection->channel);
    connection->channel.gone = true;
}

void end_sending(struct connection *connection)
{
    if (vchan_half_closes(&connection->channel)) {
        vchan_end(&connection->channel);
        return;
    }
    wait_for(connection, drained, CONDUIT_VCHAN_NOTIFY_READ, 0);
    break_off(connection);
}

bool connection_came(void *argument)
{
    struct connection *connection = argument;
    return vchan_came(&connection->channel);
}

/* What still comes is for nobody: taken so that the peer can go on to its own end. */
static void discard_until_end(struct connection *connection, uint64_t deadline_ns)
{
    uint8_t nobodys[512];
    for (;;) {
        const long bytes = vchan_receive(&connection->channel, nobodys, sizeof nobodys);
        if (bytes < 0)
            return;
        if (bytes > 0)
            take_turns(bytes);
        else if (!wait_for(connection, readable, CONDUIT_VCHAN_NOTIFY_WRITE, deadline_ns) || stopping)
            return;
    }
}

void connection_finish(struct connection *connection)
{
    struct vchan *channel = &connection->channel;
    const uint64_t deadline_ns = arch_time_ns() + LINGER_NS;
    if (channel->corrupt || channel->gone) {
        connection_release(connection);
        return;
    }
    if (vchan_half_closes(channel)) {
        vchan_end(channel);
        discard_until_end(connection, deadline_ns);
    } else {
        wait_for(connection, drained, CONDUIT_VCHAN_NOTIFY_READ, deadline_ns);
    }
    connection_release(connection);
}

void connection_run(void *argument)
{
    struct connection *connection = argument;
    app(connection);
    connection_finish(connection);
}

const char *connection_port(const struct connection *connection)
{
    return connection->port;
}

/* Each connection there is, those included that wait for their peer to let go of their pages. */
static struct connection *next_used(struct connection *c)
{
    while (c < connections + CONNECTIONS_MAX && !c->used)
        c++;
    return c;
}

#define EACH_CONNECTION(c) \
    (struct connection *c = next_used(connections); c < connections + CONNECTIONS_MAX; c = next_used(c + 1))

uint32_t connection_count(domid_t peer)
{
    uint32_t count = 0;
    for EACH_CONNECTION(c)
        count += c->channel.peer == peer;
    return count;
}

static bool was_accepted_from(const struct connection *c, domid_t client)
{
    return c->request != 0 && c->channel.peer == client;
}

uint32_t connection_count_accepted(domid_t client)
{
    uint32_t count = 0;
    for EACH_CONNECTION(c)
        count += was_accepted_from(c, client);
    return count;
}

struct connection *connection_accepted(uint64_t request)
{
    for EACH_CONNECTION(c)
        if (c->request == request)
            return c;
    return NULL;
}

void connection_client_died(domid_t client)
{
    for EACH_CONNECTION(c)
        if (was_accepted_from(c, client))
            c->channel.gone = true;
}

void connection_stop_all(void)
{
    stopping = true;
}

bool connection_none_left(void *unused)
{
    (void)unused;
    return next_used(connections) == connections + CONNECTIONS_MAX;
}

void connection_signal_all(void)
{
    for EACH_CONNECTION(c)
        if (c->channel.owed != 0)
            vchan_signal(&c->channel);
}

void connection_request_all(void)
{
    for EACH_CONNECTION(c)
        if (c->wants != 0)
            vchan_request(&c->channel, c->wants);
}
