/* Bind, map, check the copy, map the rings, say that we live (protocol/vchan.md, Life and death). */
#include "join.h"

#include "connection_table.h"
#include "event.h"
#include "grant.h"

static void unmap(struct connection *c)
{
    for (int i = 0; i < 2; i++)
        if (c->rings[i] != NULL)
            grant_unmap(c->rings[i], c->ring_pages[i]);
    if (c->page != NULL)
        grant_unmap(c->page, 1);
}

/* The ring that we only read is mapped for reading only. */
static bool map_rings(struct connection *c, const struct vchan_offer *offer)
{
    const uint32_t *references = offer->references;
    for (int i = 0; i < 2; i++) {
        const uint32_t pages = i == 0 ? offer->left_pages : offer->right_pages;
        c->ring_pages[i] = pages;
        if (pages > 0 && (c->rings[i] = grant_map(c->channel.peer, references, pages, i == 0)) == NULL)
            return false;
        references += pages;
    }
    return true;
}

struct connection *connection_join(domid_t server, uint32_t reference, uint32_t port)
{
    struct vchan_offer offer;
    struct connection *c = connection_slot(server);
    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof *c);
    c->channel.peer = server;
    c->channel.port = event_bind(server, port);
    if (c->channel.port == 0)
        return NULL;
    c->used = true;
    c->unmap = unmap;
    event_watch(c->channel.port);
    c->page = grant_map(server, &reference, 1, true);
    if (c->page != NULL && vchan_examine(c->page, &offer) && map_rings(c, &offer)) {
        vchan_connect(&c->channel, c->page, &offer, c->rings[0], c->rings[1]);
        return c;
    }
    connection_release(c);
    return NULL;
}
