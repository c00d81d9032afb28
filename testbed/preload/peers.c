/* The deaths of peers: for each process met, one end of a socket pair whose other end it holds. The kernel hangs it up when
 * that process ends, by whatever cause; no hypervisor is needed for that. */
#include "local.h"

#include <stdlib.h>
#include <unistd.h>

struct peer {
    struct peer *next;
    uint64_t id;
    uint32_t domid;
    int fd;
};

/* Newest first: under a domid the one that was introduced last is meant. */
static struct peer *peers;
/* Ids below are the control connection's own. */
static uint64_t last_id = 16;

void peer_met(uint32_t domid, int fd)
{
    struct peer *peer = malloc(sizeof *peer);
    if (!peer || control_watch(fd, last_id + 1) < 0) {
        free(peer);
        close(fd);
        peer_missed(domid);
        return;
    }
    *peer = (struct peer){.next = peers, .id = ++last_id, .domid = domid, .fd = fd};
    peers = peer;
}

/* What is shared with it from now on brings another pair. */
void peer_missed(uint32_t domid)
{
    control_post(CONDUIT_CONTROL_TYPE_PEER, domid);
}

uint64_t peer_find(uint32_t domid)
{
    for (const struct peer *peer = peers; peer; peer = peer->next)
        if (peer->domid == domid)
            return peer->id;
    return 0;
}

/* Order matters: the bytes before the kicks, whose receivers look at them. */
void peer_hung_up(uint64_t id)
{
    for (struct peer **at = &peers; *at; at = &(*at)->next) {
        struct peer *peer = *at;
        if (peer->id != id)
            continue;
        *at = peer->next;
        close(peer->fd);
        shares_on_death(id);
        mappings_on_death(id);
        ports_on_death(peer->domid);
        if (peer_find(peer->domid) == 0)
            peer_missed(peer->domid);
        free(peer);
        return;
    }
}
