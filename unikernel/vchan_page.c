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

/* The smallest order with pages of its own that holds so many bytes. */
static uint16_t paged_order(uint32_t bytes)
{
    uint16_t order = CONDUIT_VCHAN_ORDER_PAGE;
    while (1u << order < bytes)
        order++;
    return order;
}

#define SMALL (1u << CONDUIT_VCHAN_ORDER_SMALL)
#define LARGE (1u << CONDUIT_VCHAN_ORDER_LARGE)

bool vchan_orders_for(uint32_t left, uint32_t right, struct vchan_orders *orders)
{
    if (left > 1u << CONDUIT_VCHAN_ORDER_MAX || right > 1u << CONDUIT_VCHAN_ORDER_MAX)
        return false;
    if (left <= SMALL && right <= LARGE)
        *orders = (struct vchan_orders){CONDUIT_VCHAN_ORDER_SMALL, CONDUIT_VCHAN_ORDER_LARGE};
    else if (left <= LARGE && right <= SMALL)
        *orders = (struct vchan_orders){CONDUIT_VCHAN_ORDER_LARGE, CONDUIT_VCHAN_ORDER_SMALL};
    else if (left <= LARGE)
        *orders = (struct vchan_orders){CONDUIT_VCHAN_ORDER_LARGE, paged_order(right)};
    else if (right <= LARGE)
        *orders = (struct vchan_orders){paged_order(left), CONDUIT_VCHAN_ORDER_LARGE};
    else
        *orders = (struct vchan_orders){paged_order(left), paged_order(right)};
    return true;
}

static uint32_t marks_offset(uint32_t references)
{
    return (GRANTS + 4 * references + 7) & ~7u;
}

/* A ring of its own pages, or at the place of its order in the control page. */
static struct ring ring_of(volatile uint8_t *page, uint8_t *own_pages, uint16_t order)
{
    return (struct ring){
        .bytes = order < CONDUIT_VCHAN_ORDER_PAGE ? (uint8_t *)page + (1u << order) : own_pages,
        .size = 1u << order,
    };
}

static void set_rings(struct vchan *channel, struct vchan_orders orders, uint8_t *left_pages, uint8_t *right_pages)
{
    volatile uint8_t *page = channel->page;
    struct ring left = ring_of(page, left_pages, orders.left), right = ring_of(page, right_pages, orders.right);
    volatile uint32_t *left_cons = index_at(page, CONDUIT_VCHAN_OFFSET_LEFT_CONS);
    volatile uint32_t *left_prod = index_at(page, CONDUIT_VCHAN_OFFSET_LEFT_PROD);
    volatile uint32_t *right_cons = index_at(page, CONDUIT_VCHAN_OFFSET_RIGHT_CONS);
    volatile uint32_t *right_prod = index_at(page, CONDUIT_VCHAN_OFFSET_RIGHT_PROD);
    if (channel->server) {
        left.own = left_cons, left.peer = left_prod;
        right.own = right_prod, right.peer = right_cons;
        channel->in = left, channel->out = right;
    } else {
        left.own = left_prod, left.peer = left_cons;
        right.own = right_cons, right.peer = right_prod;
        channel->in = right, channel->out = left;
    }
    channel->in.position = *channel->in.own;
    channel->out.position = *channel->out.own;
}

void vchan_serve(struct vchan *channel, volatile uint8_t *page, struct vchan_orders orders, uint8_t *left, uint8_t *right)
{
    *channel = (struct vchan){.page = page, .server = true, .port = channel->port, .peer = channel->peer};
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

static bool references_can_be(const uint32_t *references, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (references[i] < CONDUIT_GREF_FIRST)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (references[j] == references[i])
                return false;
    }
    return true;
}

bool vchan_examine(const volatile uint8_t *page, struct vchan_offer *offer, bool *unfinished)
{
    struct vchan_orders *orders = &offer->orders;
    orders->left = *(const volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_LEFT_ORDER);
    orders->right = *(const volatile uint16_t *)(page + CONDUIT_VCHAN_OFFSET_RIGHT_ORDER);
    *unfinished = orders->left == 0 || orders->right == 0;
    if (!order_can_be(orders->left) || !order_can_be(orders->right) ||
        (orders->left == orders->right && orders->left < CONDUIT_VCHAN_ORDER_PAGE))
        return false;
    offer->left_pages = vchan_ring_pages(orders->left);
    offer->right_pages = vchan_ring_pages(orders->right);
    const uint32_t count = offer->left_pages + offer->right_pages;
    if (GRANTS + 4 * count > list_limit(*orders))
        return false;
    for (uint32_t i = 0; i < count; i++)
        offer->references[i] = ((const volatile uint32_t *)(page + GRANTS))[i];
    return references_can_be(offer->references, count) &&
           page[CONDUIT_VCHAN_OFFSET_SRV_LIVE] == CONDUIT_VCHAN_LIVE_CONNECTED;
}

void vchan_connect(struct vchan *channel, volatile uint8_t *page, const struct vchan_offer *offer, uint8_t *left,
                   uint8_t *right)
{
    *channel = (struct vchan){.page = page, .came = true, .port = channel->port, .peer = channel->peer};
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
