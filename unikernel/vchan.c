/* An open channel: what is read, written and told. Each field of the peer's is loaded once, and latched where it must not go back. */
#include "vchan.h"

#include "arch.h"
#include "event.h"

static uint8_t load(const struct vchan *channel, uint32_t server_offset, uint32_t client_offset, bool of_server)
{
    return __atomic_load_n(channel->page + (of_server ? server_offset : client_offset), __ATOMIC_SEQ_CST);
}

static uint8_t peer_live(const struct vchan *channel)
{
    return load(channel, CONDUIT_VCHAN_OFFSET_SRV_LIVE, CONDUIT_VCHAN_OFFSET_CLI_LIVE, !channel->server);
}

bool vchan_came(struct vchan *channel)
{
    /* Anything but awaited: it may have been here and gone. */
    channel->came |= peer_live(channel) != CONDUIT_VCHAN_LIVE_AWAITED;
    return channel->came;
}

static void look_at_state(struct vchan *channel)
{
    if (channel->marks == 0)
        return;
    const uint8_t state = load(channel, channel->marks + CONDUIT_VCHAN_END_MARK_SERVER_OFFSET,
                               channel->marks + CONDUIT_VCHAN_END_MARK_CLIENT_OFFSET, !channel->server);
    if (state < channel->peer_state || state > CONDUIT_VCHAN_END_STATE_ENDED)
        channel->corrupt = true;
    else
        channel->peer_state = state;
}

/* Whether no more will come, and whether we may send: look at the indices after this, never before (I6). */
static void look(struct vchan *channel)
{
    if (!vchan_came(channel) || channel->gone)
        return;
    channel->gone = peer_live(channel) != CONDUIT_VCHAN_LIVE_CONNECTED;
    /* After the live byte: a peer that ends and goes at once has ended. */
    look_at_state(channel);
}

static bool will_send_no_more(const struct vchan *channel)
{
    return channel->gone || channel->peer_state == CONDUIT_VCHAN_END_STATE_ENDED;
}

static int32_t ready_now(struct vchan *channel)
{
    const int32_t ready = ring_ready(&channel->in);
    channel->corrupt |= ready < 0;
    return ready;
}

static int32_t space_now(struct vchan *channel)
{
    const int32_t space = ring_space(&channel->out);
    channel->corrupt |= space < 0;
    return space;
}

bool vchan_readable(struct vchan *channel)
{
    look(channel);
    return ready_now(channel) != 0 || will_send_no_more(channel) || channel->corrupt;
}

bool vchan_writable(struct vchan *channel)
{
    look(channel);
    return space_now(channel) != 0 || channel->gone || channel->corrupt;
}

bool vchan_drained(struct vchan *channel)
{
    look(channel);
    return space_now(channel) == (int32_t)channel->out.size || channel->gone || channel->corrupt;
}

bool vchan_half_closes(struct vchan *channel)
{
    look(channel);
    return channel->peer_state != CONDUIT_VCHAN_END_STATE_UNKNOWN;
}

/* Told at once where half a ring has moved: the peer can go on while we do. */
static void moved(struct vchan *channel, const struct ring *ring, uint32_t bytes, uint8_t bit)
{
    ring_publish(ring);
    channel->owed |= bit;
    channel->unsignalled += bytes;
    if (channel->unsignalled >= ring->size / 2)
        vchan_signal(channel);
}

long vchan_receive(struct vchan *channel, void *target, uint32_t room)
{
    look(channel);
    const int32_t ready = ready_now(channel);
    if (channel->corrupt)
        return VCHAN_CORRUPT;
    if (ready == 0) {
        if (!will_send_no_more(channel))
            return VCHAN_WAIT;
        return channel->peer_state == CONDUIT_VCHAN_END_STATE_OPEN ? VCHAN_RESET : VCHAN_END;
    }
    const uint32_t bytes = (uint32_t)ready < room ? (uint32_t)ready : room;
    ring_take(&channel->in, target, bytes);
    moved(channel, &channel->in, bytes, CONDUIT_VCHAN_NOTIFY_READ);
    return bytes;
}

long vchan_send(struct vchan *channel, const void *source, uint32_t bytes)
{
    look(channel);
    const int32_t space = space_now(channel);
    if (channel->corrupt)
        return VCHAN_CORRUPT;
    if (channel->gone || channel->ended)
        return VCHAN_RESET;
    if ((uint32_t)space < bytes)
        bytes = (uint32_t)space;
    if (bytes == 0)
        return VCHAN_WAIT;
    ring_put(&channel->out, source, bytes);
    moved(channel, &channel->out, bytes, CONDUIT_VCHAN_NOTIFY_WRITE);
    return bytes;
}

void vchan_end(struct vchan *channel)
{
    if (channel->ended)
        return;
    channel->ended = true;
    if (channel->marks == 0)
        return;
    const uint32_t state = channel->marks + (channel->server ? CONDUIT_VCHAN_END_MARK_SERVER_OFFSET
                                                             : CONDUIT_VCHAN_END_MARK_CLIENT_OFFSET);
    __atomic_store_n(channel->page + state, CONDUIT_VCHAN_END_STATE_ENDED, __ATOMIC_SEQ_CST);
    channel->owed = 0;
    event_send(channel->port);
}

void vchan_close(struct vchan *channel)
{
    channel->owed = 0;
    const uint32_t live = channel->server ? CONDUIT_VCHAN_OFFSET_SRV_LIVE : CONDUIT_VCHAN_OFFSET_CLI_LIVE;
    __atomic_store_n(channel->page + live, CONDUIT_VCHAN_LIVE_DEAD, __ATOMIC_SEQ_CST);
    event_send(channel->port);
}

void vchan_signal(struct vchan *channel)
{
    /* The byte that the peer writes for us to act on. */
    volatile uint8_t *asked =
        channel->page + (channel->server ? CONDUIT_VCHAN_OFFSET_SRV_NOTIFY : CONDUIT_VCHAN_OFFSET_CLI_NOTIFY);
    const uint8_t bits = channel->owed;
    channel->owed = 0;
    channel->unsignalled = 0;
    if ((__atomic_load_n(asked, __ATOMIC_SEQ_CST) & bits) != 0 &&
        (__atomic_fetch_and(asked, (uint8_t)~bits, __ATOMIC_SEQ_CST) & bits) != 0)
        event_send(channel->port);
}

void vchan_request(struct vchan *channel, uint8_t bits)
{
    volatile uint8_t *request =
        channel->page + (channel->server ? CONDUIT_VCHAN_OFFSET_CLI_NOTIFY : CONDUIT_VCHAN_OFFSET_SRV_NOTIFY);
    if ((__atomic_load_n(request, __ATOMIC_RELAXED) & bits) != bits)
        __atomic_fetch_or(request, bits, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
