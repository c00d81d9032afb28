/* The connection to the daemon, and batches of requests to it. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

/* Where libxenstore looks (xen:tools/libs/store/xs.c): its variable, the daemon's socket, the kernel's device. */
static const char *const PLACES[] = {"/run/xenstored/socket", "/var/run/xenstored/socket", "/dev/xen/xenbus"};

static int open_place(struct store *store, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return -1;
    store->bus = S_ISCHR(status.st_mode);
    if (store->bus)
        return store->fd = open(path, O_RDWR | O_CLOEXEC);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return store->fd = fd;
}

int store_open(struct store *store)
{
    const char *chosen = getenv("XENSTORED_PATH");
    if (store->fd >= 0)
        return 0;
    if (chosen)
        return open_place(store, chosen) < 0 ? -1 : 0;
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++)
        if (open_place(store, PLACES[i]) >= 0)
            return 0;
    return -1;
}

void store_close(struct store *store)
{
    if (store->fd >= 0)
        close(store->fd);
    store->fd = -1;
    store->changed = false;
}

static char *batch_room(struct store_batch *batch, size_t bytes)
{
    if (batch->room - batch->length < bytes) {
        size_t room = batch->room * 2 + bytes + 1024;
        char *grown = realloc(batch->bytes, room);
        if (!grown)
            return NULL;
        batch->bytes = grown;
        batch->room = room;
    }
    char *at = batch->bytes + batch->length;
    batch->length += bytes;
    return at;
}

unsigned int batch_add(struct store *store, struct store_batch *batch, uint32_t type, const void *payload, size_t length)
{
    struct xsd_sockmsg head = {type, ++store->last_id, 0, (uint32_t)length};
    char *at = NULL;
    if (batch->count < STORE_BATCH_MAX && length <= XENSTORE_PAYLOAD_MAX)
        at = batch_room(batch, sizeof head + length);
    if (!at) {
        batch->broken = true;
        return 0;
    }
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, payload, length);
    batch->requests[batch->count].id = head.req_id;
    return batch->count++;
}

/* A path with its NUL, and what follows it. */
static void add_path(struct store *store, struct store_batch *batch, uint32_t type, const char *path, const char *rest,
                     size_t length)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    size_t path_bytes = strlen(path) + 1;
    if (path_bytes + length > sizeof payload) {
        batch->broken = true;
        return;
    }
    memcpy(payload, path, path_bytes);
    memcpy(payload + path_bytes, rest, length);
    batch_add(store, batch, type, payload, path_bytes + length);
}

void batch_write(struct store *store, struct store_batch *batch, const char *path, const char *value)
{
    add_path(store, batch, XS_WRITE, path, value, strlen(value));
}

void batch_permit(struct store *store, struct store_batch *batch, const char *path, unsigned int owner, int reader)
{
    char permissions[32];
    int length = snprintf(permissions, sizeof permissions, "n%u", owner) + 1;
    if (reader >= 0)
        length += snprintf(permissions + length, sizeof permissions - (size_t)length, "r%d", reader) + 1;
    add_path(store, batch, XS_SET_PERMS, path, permissions, (size_t)length);
}

unsigned int batch_read(struct store *store, struct store_batch *batch, const char *path)
{
    return batch_add(store, batch, XS_READ, path, strlen(path) + 1);
}

void batch_remove(struct store *store, struct store_batch *batch, const char *path)
{
    batch_add(store, batch, XS_RM, path, strlen(path) + 1);
}

static int lost(struct store *store, int why)
{
    store_close(store);
    errno = why;
    return -1;
}

/* For the device one message, for the daemon as much as it takes. */
static size_t next_write(const struct store *store, const char *bytes, size_t left)
{
    struct xsd_sockmsg head;
    if (!store->bus)
        return left;
    memcpy(&head, bytes, sizeof head);
    return sizeof head + head.len;
}

int store_send(struct store *store, struct store_batch *batch)
{
    if (batch->broken) {
        errno = E2BIG;
        return -1;
    }
    if (store_open(store) != 0)
        return -1;
    batch->sent = true;
    for (size_t done = 0; done < batch->length;) {
        const char *from = batch->bytes + done;
        ssize_t written = write(store->fd, from, next_write(store, from, batch->length - done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return lost(store, written < 0 ? errno : EPIPE);
        done += (size_t)written;
    }
    return 0;
}

static int read_all(struct store *store, void *into, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = read(store->fd, (char *)into + done, bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return lost(store, got < 0 ? errno : ECONNRESET);
        done += (size_t)got;
    }
    return 0;
}

static int error_named(const char *name)
{
    for (size_t i = 0; i < sizeof xsd_errors / sizeof xsd_errors[0]; i++)
        if (strcmp(xsd_errors[i].errstring, name) == 0)
            return xsd_errors[i].errnum;
    return EIO;
}

/* One message; its payload with a NUL behind it, to be freed. NULL when the connection broke. */
static char *receive_message(struct store *store, struct xsd_sockmsg *head)
{
    if (read_all(store, head, sizeof *head) != 0)
        return NULL;
    if (head->len > XENSTORE_PAYLOAD_MAX) {
        lost(store, EPROTO);
        return NULL;
    }
    char *payload = malloc(head->len + 1);
    if (!payload) {
        lost(store, ENOMEM);
        return NULL;
    }
    payload[head->len] = '\0';
    if (read_all(store, payload, head->len) == 0)
        return payload;
    free(payload);
    return NULL;
}

/* The daemon answers one connection in order; events come between answers. */
static int receive_one(struct store *store, struct store_request *request)
{
    struct xsd_sockmsg head;
    char *payload;
    while ((payload = receive_message(store, &head)) != NULL && head.type == XS_WATCH_EVENT) {
        store->changed = true;
        free(payload);
    }
    if (!payload)
        return -1;
    request->value = payload;
    if (head.req_id != request->id)
        return lost(store, EPROTO);
    request->error = head.type == XS_ERROR ? error_named(payload) : 0;
    return 0;
}

int store_await_event(struct store *store, int timeout_ms)
{
    struct xsd_sockmsg head;
    struct pollfd ready = {.fd = store->fd, .events = POLLIN};
    bool changed = store->changed;
    store->changed = false;
    if (changed)
        return 1;
    int result = poll(&ready, 1, timeout_ms);
    if (result <= 0)
        return result;
    char *payload = receive_message(store, &head);
    free(payload);
    return payload ? 1 : -1;
}

int store_receive(struct store *store, struct store_batch *batch)
{
    for (; batch->sent && batch->answered < batch->count; batch->answered++) {
        if (store->fd < 0)
            return lost(store, ECONNRESET);
        if (receive_one(store, &batch->requests[batch->answered]) != 0)
            return -1;
    }
    return 0;
}

int batch_error(const struct store_batch *batch)
{
    for (unsigned int i = 0; i < batch->answered; i++)
        if (batch->requests[i].error != 0)
            return batch->requests[i].error;
    return 0;
}

void batch_free(struct store_batch *batch)
{
    for (unsigned int i = 0; i < batch->count; i++)
        free(batch->requests[i].value);
    free(batch->bytes);
    *batch = (struct store_batch){0};
}
