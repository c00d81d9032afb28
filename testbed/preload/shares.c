/* xengntshr_*: pages of this process, granted to a peer. Sealed files, registered with the hypervisor; a peer that dies with
 * them mapped has its byte cleared here. */
#include "local.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

struct xengntdev_handle {
    char unused;
};

/* A peer's mapping: the byte to clear when it dies. */
struct mapped {
    struct mapped *next;
    uint64_t peer; /* 0: this process itself */
    uint32_t map_id, offset;
};

struct share {
    struct share *next;
    xengntshr_handle *handle;
    void *address;
    struct mapped *mapped;
    struct port *notify; /* retained */
    int memfd;
    uint32_t first_gref, pages, peer, writable, notify_offset;
};

/* Newest first: where a program has unmapped pages by itself, as libxenvchan does with rings, their address may come again. */
static struct share *shares;
static uint32_t next_gref = CONDUIT_GREF_FIRST;
/* References start again from the lowest above this (src/substrate/local/own-shares.ts). */
#define GREF_WRAP 0xf0000000u

/* Through the file, since the program may have unmapped the pages: it is sealed, and nobody can make it read-only. */
static void clear_byte(const struct share *share, uint32_t offset)
{
    const char zero = 0;
    if (offset < share->pages * CONDUIT_PAGE_BYTES)
        (void)!pwrite(share->memfd, &zero, 1, offset);
}

static struct share *share_with(uint32_t first_gref)
{
    struct share *share = shares;
    while (share && share->first_gref != first_gref)
        share = share->next;
    return share;
}

void share_mapped(uint32_t first_gref, uint32_t offset, uint32_t map_id, uint32_t domid)
{
    struct share *share = share_with(first_gref);
    const uint64_t peer = peer_find(domid);
    struct mapped *mapped = share ? malloc(sizeof *mapped) : NULL;
    if (mapped && (peer != 0 || domid == control_domid())) {
        *mapped = (struct mapped){.next = share->mapped, .peer = peer, .map_id = map_id, .offset = offset};
        share->mapped = mapped;
        return;
    }
    free(mapped);
    /* Dead already, or missed: it has seen our end hang up and takes us for dead. */
    if (share)
        clear_byte(share, offset);
    ports_on_death(domid);
}

void share_unmapped(uint32_t first_gref, uint32_t map_id)
{
    struct share *share = share_with(first_gref);
    for (struct mapped **at = share ? &share->mapped : NULL; at && *at; at = &(*at)->next)
        if ((*at)->map_id == map_id) {
            struct mapped *gone = *at;
            *at = gone->next;
            free(gone);
            return;
        }
}

void shares_on_death(uint64_t peer)
{
    for (struct share *share = shares; share; share = share->next)
        for (struct mapped **at = &share->mapped; *at;) {
            struct mapped *each = *at;
            if (each->peer != peer) {
                at = &each->next;
                continue;
            }
            clear_byte(share, each->offset);
            *at = each->next;
            free(each);
        }
}

static struct message grant_request(const struct share *share)
{
    struct message message = {.type = CONDUIT_CONTROL_TYPE_GRANT, .words = 5, .fds = 1};
    const uint32_t words[] = {share->first_gref, share->pages, share->peer, share->writable, share->notify_offset};
    for (size_t i = 0; i < 5; i++)
        message.word[i] = words[i];
    message.fd[0] = share->memfd;
    return message;
}

void shares_register_again(void)
{
    for (struct share *share = shares; share; share = share->next) {
        struct message message = grant_request(share);
        /* One that cannot be registered cannot be mapped anew; whoever has mapped it is not concerned. */
        if (control_exchange(&message) < 0)
            return;
    }
}

/* Order matters: the byte, then the kick, then the pages, as gntalloc does it. */
static void end_share(struct share **at, bool unmap)
{
    struct share *share = *at;
    *at = share->next;
    if (share->notify_offset != CONDUIT_CONTROL_NONE)
        clear_byte(share, share->notify_offset);
    if (share->notify) {
        port_kick(share->notify);
        port_release(share->notify);
    }
    if (unmap)
        munmap(share->address, (size_t)share->pages * CONDUIT_PAGE_BYTES);
    control_post(CONDUIT_CONTROL_TYPE_UNGRANT, share->first_gref);
    close(share->memfd);
    while (share->mapped) {
        struct mapped *each = share->mapped;
        share->mapped = each->next;
        free(each);
    }
    free(share);
}

/* Lock held. 0: the hypervisor knows the share, and it is listed. */
static int register_share(struct share *share, uint32_t notify_port)
{
    struct message message = grant_request(share);
    if (control_request(&message) < 0)
        return -1;
    share->notify = notify_port != (uint32_t)-1 ? port_find(notify_port) : NULL;
    if (notify_port != (uint32_t)-1 && !share->notify) {
        control_post(CONDUIT_CONTROL_TYPE_UNGRANT, share->first_gref);
        errno = EINVAL;
        return -1;
    }
    if (share->notify)
        port_retain(share->notify);
    share->next = shares;
    shares = share;
    return 0;
}

static void *share_pages(xengntshr_handle *handle, const struct share *wanted, uint32_t *refs, uint32_t notify_port)
{
    const size_t bytes = (size_t)wanted->pages * CONDUIT_PAGE_BYTES;
    struct share *share = malloc(sizeof *share);
    if (!share)
        return NULL;
    *share = *wanted;
    share->handle = handle;
    share->address = MAP_FAILED;
    share->memfd = pages_create(share->pages);
    if (share->memfd >= 0)
        share->address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, share->memfd, 0);
    if (share->address != MAP_FAILED) {
        local_lock();
        share->first_gref = next_gref;
        next_gref = next_gref + share->pages >= GREF_WRAP ? CONDUIT_GREF_FIRST : next_gref + share->pages;
        const int registered = register_share(share, notify_port);
        local_unlock();
        if (registered == 0) {
            for (uint32_t i = 0; i < share->pages; i++)
                refs[i] = share->first_gref + i;
            return share->address;
        }
        int error = errno;
        munmap(share->address, bytes);
        errno = error;
    }
    int error = errno;
    if (share->memfd >= 0)
        close(share->memfd);
    free(share);
    errno = error;
    return NULL;
}

EXPORT xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return calloc(1, sizeof(xengntshr_handle));
}

EXPORT void *xengntshr_share_pages(xengntshr_handle *handle, uint32_t domid, int count, uint32_t *refs, int writable)
{
    const struct share wanted = {
        .pages = (uint32_t)count, .peer = domid, .writable = writable != 0, .notify_offset = CONDUIT_CONTROL_NONE};
    if (count > 0)
        return share_pages(handle, &wanted, refs, (uint32_t)-1);
    errno = EINVAL;
    return NULL;
}

EXPORT void *xengntshr_share_page_notify(xengntshr_handle *handle, uint32_t domid, uint32_t *ref, int writable,
                                         uint32_t notify_offset, evtchn_port_t notify_port)
{
    const struct share wanted = {.pages = 1, .peer = domid, .writable = writable != 0, .notify_offset = notify_offset};
    if (notify_offset < CONDUIT_PAGE_BYTES || notify_offset == CONDUIT_CONTROL_NONE)
        return share_pages(handle, &wanted, ref, notify_port);
    errno = EINVAL;
    return NULL;
}

EXPORT int xengntshr_unshare(xengntshr_handle *handle, void *address, uint32_t count)
{
    int result = -1;
    local_lock();
    for (struct share **at = &shares; *at && result < 0; at = &(*at)->next)
        if ((*at)->handle == handle && (*at)->address == address && (*at)->pages == count) {
            end_share(at, true);
            result = 0;
            break;
        }
    local_unlock();
    if (result < 0)
        errno = EINVAL;
    return result;
}

/* What is still shared the program has unmapped by itself: libxenvchan does so with its rings. */
EXPORT int xengntshr_close(xengntshr_handle *handle)
{
    local_lock();
    for (struct share **at = &shares; *at;)
        if ((*at)->handle == handle)
            end_share(at, false);
        else
            at = &(*at)->next;
    local_unlock();
    free(handle);
    return 0;
}
