/* Requests and replies, matched by id, and watches. */
#include "store.h"

#include "console.h"
#include "event.h"
#include "fiber.h"
#include "store_wire.h"
#include "text.h"

/* C xenstored lets a guest have 20 requests under way (xen:tools/xenstored/core.c, quota_req_outstanding). */
#define UNDER_WAY_MAX 16
#define WATCHES_MAX 24
/* The id of a request whose reply nobody waits for. Those who wait have their slot's number, with a count above it. */
#define POSTED UINT32_MAX

struct request {
    uint32_t id; /* 0: the slot is free */
    bool done;
    char *reply;
    size_t room;
    long result;
};

static struct store_wire wire;
static uint32_t store_port;
static uint32_t under_way, count;
static struct request requests[UNDER_WAY_MAX];
static void (*watches[WATCHES_MAX])(const char *);

size_t store_path(char *path, const char *pattern, ...)
{
    va_list list;
    va_start(list, pattern);
    const size_t length = format_list(path, STORE_PATH_BYTES, pattern, list);
    va_end(list);
    return length;
}

void store_init(volatile uint8_t *page, uint32_t port)
{
    store_wire_init(&wire, page);
    store_port = port;
    event_watch(port);
}

struct sending {
    struct store_header header;
    const char *path, *rest;
};

/* Sends it if it can be sent: a question that fiber_wait asks. */
static bool sent(void *argument)
{
    const struct sending *sending = argument;
    if (wire.broken)
        return true;
    if (under_way == UNDER_WAY_MAX || !store_wire_send(&wire, sending->header, sending->path, sending->rest))
        return false;
    under_way++;
    return true;
}

static void send(unsigned type, uint32_t id, const char *path, const char *rest, size_t rest_bytes)
{
    struct sending sending = {{.type = type, .id = id, .length = (uint32_t)rest_bytes}, path, rest};
    if (!sent(&sending))
        fiber_wait(sent, &sending, 0);
}

static bool slot_is_free(void *argument)
{
    struct request **found = argument;
    for (uint32_t i = 0; i < UNDER_WAY_MAX; i++)
        if (requests[i].id == 0) {
            *found = &requests[i];
            return true;
        }
    return false;
}

static bool replied(void *argument)
{
    const struct request *request = argument;
    return request->done || wire.broken;
}

static long ask(unsigned type, const char *path, const char *rest, char *reply, size_t room)
{
    struct request *request;
    if (!slot_is_free(&request))
        fiber_wait(slot_is_free, &request, 0);
    const uint32_t id = (uint32_t)(request - requests) + 1 + (++count % 0xffffff << 8);
    *request = (struct request){.id = id, .reply = reply, .room = room, .result = STORE_FAILED};
    send(type, id, path, rest, strlen(rest));
    if (!replied(request))
        fiber_wait(replied, request, 0);
    const long result = request->result;
    request->id = 0;
    return result;
}

long store_read(const char *path, char *reply, size_t room)
{
    return ask(CONDUIT_XS_TYPE_READ, path, "", reply, room);
}

long store_directory(const char *path, char *reply, size_t room)
{
    return ask(CONDUIT_XS_TYPE_DIRECTORY, path, "", reply, room);
}

long store_write(const char *path, const char *value)
{
    return ask(CONDUIT_XS_TYPE_WRITE, path, value, NULL, 0);
}

/* `n5`, NUL, and others' rights behind it: the first is the owner's. */
long store_owner(const char *path)
{
    char rights[8];
    uint32_t owner;
    if (ask(CONDUIT_XS_TYPE_GET_PERMS, path, "", rights, sizeof rights) < 1 ||
        !text_number(rights + 1, strlen(rights + 1), CONDUIT_DOMID_FIRST_RESERVED - 1, &owner))
        return STORE_FAILED;
    return (long)owner;
}

void store_post_write(const char *path, const char *value)
{
    send(CONDUIT_XS_TYPE_WRITE, POSTED, path, value, strlen(value));
}

void store_post_remove(const char *path)
{
    send(CONDUIT_XS_TYPE_RM, POSTED, path, "", 0);
}

void store_post_rights(const char *path, uint32_t owner, uint32_t reader)
{
    char rights[2 * sizeof "n65535"];
    const size_t first = format(rights, sizeof rights, "n%u", owner) + 1;
    const size_t second = format(rights + first, sizeof rights - first, "r%u", reader) + 1;
    send(CONDUIT_XS_TYPE_SET_PERMS, POSTED, path, rights, first + second);
}

/* A watch's token is one letter: its place in the table. */
static void send_watch(unsigned type, const char *path, uint32_t place)
{
    const char token[2] = {(char)('A' + place), '\0'};
    send(type, POSTED, path, token, sizeof token);
}

uint32_t store_watch(const char *path, void (*fired)(const char *path))
{
    for (uint32_t place = 1; place < WATCHES_MAX; place++)
        if (watches[place] == NULL) {
            watches[place] = fired;
            send_watch(CONDUIT_XS_TYPE_WATCH, path, place);
            return place;
        }
    return 0;
}

void store_unwatch(const char *path, uint32_t place)
{
    watches[place] = NULL;
    send_watch(CONDUIT_XS_TYPE_UNWATCH, path, place);
}

static void dispatch_watch(const char *body, size_t length)
{
    const size_t path_bytes = strlen(body) + 1;
    /* Path, NUL, one letter, NUL. */
    if (path_bytes + 2 != length)
        return;
    const unsigned place = (unsigned)(uint8_t)body[path_bytes] - 'A';
    if (place < WATCHES_MAX && watches[place] != NULL)
        watches[place](body);
}

static void settle(struct request *request)
{
    request->done = true;
    request->result = wire.message.header.type == CONDUIT_XS_TYPE_ERROR ? STORE_FAILED : (long)wire.message.header.length;
    if (request->result < 0 || request->room == 0)
        return;
    const size_t body = store_wire_body(&wire), bytes = body < request->room ? body : request->room - 1;
    memcpy(request->reply, wire.message.body, bytes);
    request->reply[bytes] = '\0';
}

static void dispatch(void)
{
    const uint32_t id = wire.message.header.id, place = (id & 0xff) - 1;
    if (wire.message.header.type == CONDUIT_XS_TYPE_WATCH_EVENT) {
        dispatch_watch(wire.message.body, store_wire_body(&wire));
        return;
    }
    if (under_way > 0)
        under_way--;
    if (id != POSTED && place < UNDER_WAY_MAX && requests[place].id == id && !requests[place].done)
        settle(&requests[place]);
}

void store_progress(void)
{
    const bool was_broken = wire.broken;
    while (store_wire_receive(&wire))
        dispatch();
    if (wire.kick) {
        wire.kick = false;
        event_send(store_port);
    }
    if (wire.broken && !was_broken)
        console_line("broken store");
}
