/* The control page: which rings there are, what a server writes into it and what a client makes of it (I9). */
#include "vchan.h"

#include "arch.h"
#include "event.h"

#define GRANTS CONDUIT_VCHAN_OFFSET_GRANTS

static volatile uint32_t *index_at(volatile uint8_t *page, uint32_t offset)
{
    return (volatile uint32_t *)(page + offset);
}

uint32_t vchan_ring_pages(uint16_t order)
{
    return order < CONDUIT_VCHAN_ORDER_PAGE ? 0 : 1u << (order - CONDUIT_VCHAN_ORDER_PAGE);
}

struct vchan_orders vchan_orders_for(uint32_t bytes)
{
    uint16_t order = CONDUIT_VCHAN_ORDER_PAGE;
    if (bytes <= 1u << CONDUIT_VCHAN_ORDER_SMALL)
        return (struct vchan_orders){CONDUIT_VCHAN_ORDER_SMALL, CONDUIT_VCHAN_ORDER_LARGE};
    while (order < CONDUIT_VCHAN_ORDER_MAX && 1u << order < bytes)
        order++;
    return (struct vchan_orders){order, order};
}

static uint32_t marks_offset(uint32_t references)
{
    return (GRANTS + 4 * references + 7) & ~7u;
}

/* A ring in pages of its own, or at the place of its order in the control page; its own index goes on where it is. */
static void set_ring(struct ring *ring, volatile uint8_t *page, uint8_t *own_pages, uint16_t order)
{
    ring->bytes = order < CONDUIT_VCHAN_ORDER_PAGE ? (uint8_t *)page + (1u << order) : own_pages;
    ring->size = 1u << order;
    ring->position = *ring->own;
}

static void set_rings(struct vchan *channel, struct vchan_orders orders, uint8_t *left_pages, uint8_t *right_pages)
{
    volatile uint8_t *page = channel->page;
    struct ring *left = channel->server ? &channel->in : &channel->out;
    struct ring *right = channel->server ? &channel->out : &channel->in;
    channel->in.own = index_at(page, channel->server ? CONDUIT_VCHAN_OFFSET_LEFT_CONS : CONDUIT_VCHAN_OFFSET_RIGHT_CONS);
    channel->in.peer = index_at(page, channel->server ? CONDUIT_VCHAN_OFFSET_LEFT_PROD : CONDUIT_VCHAN_OFFSET_RIGHT_PROD);
    channel->out.own = index_at(page, channel->server ? CONDUIT_VCHAN_OFFSET_RIGHT_PROD : CONDUIT_VCHAN_OFFSET_LEFT_PROD);
    channel->out.peer = index_at(page, channel->server ? CONDUIT_VCHAN_OFFSET_RIGHT_CONS : CONDUIT_VCHAN_OFFSET_LEFT_CONS);
    set_ring(left, page, left_pages, orders.left);
    set_ring(right, page, right_pages, orders.right);
}

void vchan_serve(struct vchan *channel, volatile uint8_t *page, struct vchan_orders orders, uint8_t *left, uint8_t *right)
{
    channel->page = page;
    channel->server = true;
    *(volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_LEFT_ORDER) = orders.left;
    *(volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_RIGHT_ORDER) = orders.right;
    channel->marks = marks_offset(vchan_ring_pages(orders.left) + vchan_ring_pages(orders.right));
    volatile uint8_t *marks = page + channel->marks;
    *(volatile uint16_t *)(marks + CONDUIT_VCHAN_END_MARK_MAGIC_OFFSET) = CONDUIT_VCHAN_END_MARK_MAGIC;
    marks[CONDUIT_VCHAN_END_MARK_VERSION_OFFSET] = CONDUIT_VCHAN_END_MARK_VERSION;
    marks[CONDUIT_VCHAN_END_MARK_SERVER_OFFSET] = CONDUIT_VCHAN_END_STATE_OPEN;
    set_rings(channel, orders, left, right);
    page[CONDUIT_VCHAN_OFFSET_CLI_LIVE] = CONDUIT_VCHAN_LIVE_AWAITED;
    page[CONDUIT_VCHAN_OFFSET_CLI_NOTIFY] = CONDUIT_VCHAN_NOTIFY_WRITE;
    __atomic_store_n(page + CONDUIT_VCHAN_OFFSET_SRV_LIVE, CONDUIT_VCHAN_LIVE_CONNECTED, __ATOMIC_SEQ_CST);
}

static bool order_can_be(uint16_t order)
{
    return order >= CONDUIT_VCHAN_ORDER_SMALL && order <= CONDUIT_VCHAN_ORDER_MAX;
}

/* Where the grant list has to end: at the first ring in the page, or at the page's end. */
static uint32_t list_limit(struct vchan_orders orders)
{
    const uint16_t lower = orders.left < orders.right ? orders.left : orders.right;
    return lower < CONDUIT_VCHAN_ORDER_PAGE ? 1u << lower : PAGE_BYTES;
}

bool vchan_examine(const volatile uint8_t *page, struct vchan_offer *offer)
{
    struct vchan_orders *orders = &offer->orders;
    orders->left = *(const volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_LEFT_ORDER);
    orders->right = *(const volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_RIGHT_ORDER);
    if (!order_can_be(orders->left) || !order_can_be(orders->right) ||
        (orders->left == orders->right && orders->left < CONDUIT_VCHAN_ORDER_PAGE))
        return false;
    offer->left_pages = vchan_ring_pages(orders->left);
    offer->right_pages = vchan_ring_pages(orders->right);
    const uint32_t count = offer->left_pages + offer->right_pages;
    if (GRANTS + 4 * count > list_limit(*orders))
        return false;
    /* One that is there twice shows the server's own page twice, which harms nobody but it. */
    for (uint32_t i = 0; i < count; i++)
        if ((offer->references[i] = ((const volatile uint32_t *)(page + GRANTS))[i]) < CONDUIT_GREF_FIRST)
            return false;
    return page[CONDUIT_VCHAN_OFFSET_SRV_LIVE] == CONDUIT_VCHAN_LIVE_CONNECTED;
}

void vchan_connect(struct vchan *channel, volatile uint8_t *page, const struct vchan_offer *offer, uint8_t *left,
                   uint8_t *right)
{
    channel->page = page;
    channel->came = true;
    set_rings(channel, offer->orders, left, right);
    const uint32_t marks = marks_offset(offer->left_pages + offer->right_pages);
    if (marks + CONDUIT_VCHAN_END_MARK_BYTES <= list_limit(offer->orders) &&
        *(volatile uint16_t *)(page + marks + CONDUIT_VCHAN_END_MARK_MAGIC_OFFSET) == CONDUIT_VCHAN_END_MARK_MAGIC &&
        page[marks + CONDUIT_VCHAN_END_MARK_VERSION_OFFSET] == CONDUIT_VCHAN_END_MARK_VERSION) {
        channel->marks = marks;
        page[marks + CONDUIT_VCHAN_END_MARK_CLIENT_OFFSET] = CONDUIT_VCHAN_END_STATE_OPEN;
    }
    __atomic_store_n(page + CONDUIT_VCHAN_OFFSET_CLI_LIVE, CONDUIT_VCHAN_LIVE_CONNECTED, __ATOMIC_SEQ_CST);
    __atomic_store_n(page + CONDUIT_VCHAN_OFFSET_SRV_NOTIFY, CONDUIT_VCHAN_NOTIFY_WRITE, __ATOMIC_SEQ_CST);
    event_send(channel->port);
}
