/* What a connection is made of: a slot, pages, references, a port; and how all of it is given back. */
#include "connection_table.h"

#include "arch.h"
#include "event.h"
#include "grant.h"
#include "page.h"

/* Pages kept for stacks and control pages when rings are chosen. */
#define PAGES_KEPT (CONNECTIONS_MAX * (FIBER_STACK_PAGES + 1))
/* Between looks at whether a peer has let go of our pages: of that nobody tells us. */
#define FIRST_LOOK_NS 2000000ull
#define LONGEST_LOOK_NS 512000000ull

struct connection connections[CONNECTIONS_MAX];

struct connection *connection_slot(domid_t peer)
{
    if (peer != 0 && connection_count(peer) >= CONNECTIONS_A_GUEST)
        return NULL;
    for (struct connection *c = connections; c < connections + CONNECTIONS_MAX; c++)
        if (!c->used)
            return c;
    return NULL;
}

/* As large as wanted while there is plenty, then smaller, down to the rings in the control page: the last one has to fit too. */
static struct vchan_orders orders_within_means(uint32_t ring_bytes)
{
    for (;; ring_bytes /= 2) {
        const struct vchan_orders orders = vchan_orders_for(ring_bytes);
        const uint32_t pages = vchan_ring_pages(orders.left) + vchan_ring_pages(orders.right);
        if (pages == 0 || (pages + CONNECTIONS_MAX <= grant_free() && pages + PAGES_KEPT <= page_free()))
            return orders;
    }
}

static bool lend_pages(struct connection *c, domid_t peer)
{
    const uint32_t pages = c->ring_pages[0] + c->ring_pages[1];
    c->page = page_take(1);
    c->rings[0] = pages == 0 ? NULL : page_take(pages);
    if (c->page == NULL || (pages != 0 && c->rings[0] == NULL))
        return false;
    memset(c->page, 0, PAGE_BYTES);
    c->rings[1] = c->rings[0] + c->ring_pages[0] * PAGE_BYTES;
    if (pages != 0 && (c->ring_reference = grant_give(peer, c->rings[0], pages)) == 0)
        return false;
    for (uint32_t i = 0; i < pages; i++)
        ((volatile uint32_t *)(c->page + CONDUIT_VCHAN_OFFSET_GRANTS))[i] = c->ring_reference + i;
    return true;
}

/* The control page last: under a reference that the peer may know beforehand it has to be whole. */
static bool lend_control_page(struct connection *c, domid_t peer, uint32_t reference)
{
    if (reference != 0)
        grant_give_as(c->page_reference = reference, peer, c->page);
    else
        c->page_reference = grant_give(peer, c->page, 1);
    return c->page_reference != 0;
}

struct connection *connection_offer(domid_t peer, uint32_t ring_bytes, struct provision provision)
{
    struct connection *c = connection_slot(peer);
    if (c == NULL)
        return NULL;
    const struct vchan_orders orders = orders_within_means(ring_bytes);
    memset(c, 0, sizeof *c);
    c->used = true;
    c->ring_pages[0] = vchan_ring_pages(orders.left);
    c->ring_pages[1] = vchan_ring_pages(orders.right);
    c->channel.peer = peer;
    c->channel.port = provision.port != 0 ? provision.port : event_offer(peer);
    if (c->channel.port == 0) {
        c->used = false;
        return NULL;
    }
    event_watch(c->channel.port);
    /* Order matters: the reference that was promised is not the rings' first. */
    const bool kept = provision.reference == 0 || grant_keep(provision.reference);
    if (kept && lend_pages(c, peer)) {
        vchan_serve(&c->channel, c->page, orders, c->rings[0], c->rings[1]);
        if (lend_control_page(c, peer, provision.reference))
            return c;
    }
    connection_release(c);
    return NULL;
}

/* A question for fiber_wait. Clean when they go back, so that no peer reads another's bytes. */
static bool took_back(void *argument)
{
    struct connection *c = argument;
    const uint32_t pages = c->ring_pages[0] + c->ring_pages[1];
    if (c->page_reference != 0) {
        if (!grant_take_back(c->page_reference, 1))
            return false;
        c->page_reference = 0;
    }
    if (c->ring_reference != 0 && !grant_take_back(c->ring_reference, pages))
        return false;
    if (c->rings[0] != NULL) {
        memset(c->rings[0], 0, pages * PAGE_BYTES);
        page_give(c->rings[0], pages);
    }
    if (c->page != NULL)
        page_give(c->page, 1);
    return true;
}

void connection_release(struct connection *c)
{
    if (c->channel.page != NULL)
        vchan_close(&c->channel);
    event_unwatch(c->channel.port);
    event_close(c->channel.port);
    if (c->unmap != NULL)
        c->unmap(c);
    else if (!took_back(c))
        for (uint64_t pause = FIRST_LOOK_NS; !fiber_wait(took_back, c, arch_time_ns() + pause);)
            pause = pause < LONGEST_LOOK_NS ? pause * 2 : pause;
    c->used = false;
}
