/* xengnttab_*: pages of a peer, mapped here. The files behind them come from that peer: sealed and long enough, or refused.
 * When it dies the byte that it would have cleared is cleared here. */
#include "local.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

#define PAGE ((size_t)CONDUIT_PAGE_BYTES)
/* Words of a segment in the answer to MAP: descriptor, first page, pages, the owner's notify offset in that file. */
#define SEGMENT_WORDS 4

struct xengntdev_handle {
    char unused;
};

/* A byte of a mapping, on a page mapped once more: the program may have unmapped its own. */
struct byte {
    uint8_t *page;
    size_t offset;
};

struct mapping {
    struct mapping *next;
    xengnttab_handle *handle;
    void *address;
    size_t pages;
    uint32_t id;
    uint64_t owner;      /* 0: this process itself */
    struct byte at_owners_death, at_unmap;
    struct port *notify; /* retained */
};

/* What to map. */
struct wanted {
    uint32_t domid, count, notify_offset, notify_port;
    const uint32_t *refs;
    int prot;
};

static struct mapping *mappings;
static uint32_t last_id;

static void clear(const struct byte *byte)
{
    if (byte->page)
        __atomic_store_n(byte->page + byte->offset, 0, __ATOMIC_SEQ_CST);
}

static void forget(struct byte *byte)
{
    if (byte->page)
        munmap(byte->page, PAGE);
}

static struct byte find_byte(int fd, size_t at)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(at / PAGE * PAGE));
    return (struct byte){page == MAP_FAILED ? NULL : page, at % PAGE};
}

void mappings_on_death(uint64_t peer)
{
    for (struct mapping *mapping = mappings; mapping; mapping = mapping->next)
        if (mapping->owner == peer)
            clear(&mapping->at_owners_death);
}

/* Whether the answer's segments lie in the files that came with it and make up the pages asked for. */
static bool segments_fit(const struct message *answer, size_t pages)
{
    uint64_t total = 0;
    for (size_t at = 0; at + SEGMENT_WORDS <= answer->words; at += SEGMENT_WORDS) {
        const uint32_t *segment = answer->word + at;
        const uint64_t end = (uint64_t)segment[1] + segment[2];
        if (segment[0] >= answer->fds || segment[2] == 0)
            return false;
        const int64_t bytes = pages_sealed_bytes(answer->fd[segment[0]]);
        if (bytes < 0 || end * PAGE > (uint64_t)bytes)
            return false;
        total += segment[2];
    }
    return total == pages;
}

/* Maps the segments one behind the other; false with errno. */
static bool map_segments(const struct message *answer, const struct wanted *wanted, struct mapping *mapping)
{
    const size_t bytes = wanted->count * PAGE;
    uint8_t *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    size_t done = 0;
    for (size_t at = 0; at + SEGMENT_WORDS <= answer->words; at += SEGMENT_WORDS) {
        const uint32_t *segment = answer->word + at;
        const int fd = answer->fd[segment[0]];
        const size_t first = segment[1] * PAGE, length = segment[2] * PAGE;
        if (mmap(base + done, length, wanted->prot, MAP_SHARED | MAP_FIXED, fd, (off_t)first) == MAP_FAILED) {
            int error = errno;
            /* Not the range that failed: the reservation may be gone there, and another thread's memory in its place. */
            munmap(base, done);
            munmap(base + done + length, bytes - done - length);
            errno = error;
            return false;
        }
        if (wanted->prot & PROT_WRITE) {
            const uint32_t theirs = segment[3], ours = wanted->notify_offset;
            if (theirs != CONDUIT_CONTROL_NONE && theirs >= first && theirs - first < length)
                mapping->at_owners_death = find_byte(fd, theirs);
            if (ours != CONDUIT_CONTROL_NONE && ours >= done && ours - done < length)
                mapping->at_unmap = find_byte(fd, first + ours - done);
        }
        done += length;
    }
    mapping->address = base;
    return true;
}

/* Lock held, since the answer: whoever dies from now on finds the mapping listed. */
static bool settle(const struct message *answer, const struct wanted *wanted, struct mapping *mapping)
{
    mapping->owner = wanted->domid == control_domid() ? 0 : peer_find(wanted->domid);
    mapping->notify = wanted->notify_port == (uint32_t)-1 ? NULL : port_find(wanted->notify_port);
    const bool alive = mapping->owner != 0 || wanted->domid == control_domid();
    const bool notifies = wanted->notify_port == (uint32_t)-1 || mapping->notify;
    if (!alive || !notifies || !segments_fit(answer, wanted->count)) {
        errno = EINVAL;
        return false;
    }
    if (!map_segments(answer, wanted, mapping)) {
        forget(&mapping->at_owners_death);
        forget(&mapping->at_unmap);
        return false;
    }
    if (mapping->notify)
        port_retain(mapping->notify);
    mapping->next = mappings;
    mappings = mapping;
    return true;
}

static void *map_pages(xengnttab_handle *handle, const struct wanted *wanted)
{
    const bool writable = (wanted->prot & PROT_WRITE) != 0;
    const bool clears = wanted->notify_offset != CONDUIT_CONTROL_NONE;
    if (wanted->count == 0 || wanted->count > CONDUIT_CONTROL_MAX_MAP_GREFS ||
        (clears && (!writable || wanted->notify_offset >= wanted->count * PAGE))) {
        errno = EINVAL;
        return NULL;
    }
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return NULL;
    local_lock();
    last_id = last_id % (CONDUIT_CONTROL_NONE - 1) + 1;
    *mapping = (struct mapping){.handle = handle, .pages = wanted->count, .id = last_id};
    struct message message = {.type = CONDUIT_CONTROL_TYPE_MAP, .words = 4 + wanted->count};
    message.word[0] = wanted->domid;
    message.word[1] = writable;
    message.word[2] = wanted->notify_offset;
    message.word[3] = mapping->id;
    for (uint32_t i = 0; i < wanted->count; i++)
        message.word[4 + i] = wanted->refs[i];
    bool done = false;
    if (control_request(&message) == 0) {
        done = settle(&message, wanted, mapping);
        int error = errno;
        if (!done)
            control_post(CONDUIT_CONTROL_TYPE_UNMAP, mapping->id);
        /* The mapping keeps the memory; the descriptors have served. */
        message_close_fds(&message);
        errno = error;
    }
    local_unlock();
    if (done)
        return mapping->address;
    free(mapping);
    return NULL;
}

/* Order matters: the byte, then the kick, then the pages, as gntdev does it. */
static void end_mapping(struct mapping **at, bool unmap)
{
    struct mapping *mapping = *at;
    *at = mapping->next;
    clear(&mapping->at_unmap);
    if (mapping->notify) {
        port_kick(mapping->notify);
        port_release(mapping->notify);
    }
    forget(&mapping->at_owners_death);
    forget(&mapping->at_unmap);
    if (unmap)
        munmap(mapping->address, mapping->pages * PAGE);
    control_post(CONDUIT_CONTROL_TYPE_UNMAP, mapping->id);
    free(mapping);
}

EXPORT xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return calloc(1, sizeof(xengnttab_handle));
}

EXPORT void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid, uint32_t *refs,
                                             int prot)
{
    const struct wanted wanted = {domid, count, CONDUIT_CONTROL_NONE, (uint32_t)-1, refs, prot};
    return map_pages(handle, &wanted);
}

EXPORT void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_domain_grant_refs(handle, 1, domid, &ref, prot);
}

EXPORT void *xengnttab_map_grant_ref_notify(xengnttab_handle *handle, uint32_t domid, uint32_t ref, int prot,
                                            uint32_t notify_offset, evtchn_port_t notify_port)
{
    const struct wanted wanted = {domid, 1, notify_offset, notify_port, &ref, prot};
    return map_pages(handle, &wanted);
}

EXPORT int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
    int result = -1;
    local_lock();
    for (struct mapping **at = &mappings; *at; at = &(*at)->next)
        if ((*at)->handle == handle && (*at)->address == address && (*at)->pages == count) {
            end_mapping(at, true);
            result = 0;
            break;
        }
    local_unlock();
    if (result < 0)
        errno = EINVAL;
    return result;
}

/* What is still mapped the program has unmapped by itself: libxenvchan does so with its rings. */
EXPORT int xengnttab_close(xengnttab_handle *handle)
{
    local_lock();
    for (struct mapping **at = &mappings; *at;)
        if ((*at)->handle == handle)
            end_mapping(at, false);
        else
            at = &(*at)->next;
    local_unlock();
    free(handle);
    return 0;
}
