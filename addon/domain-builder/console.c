/* Waits for xenconsoled's node. */
#include "console.h"

#include <inttypes.h>
#include <string.h>

#include <xen/io/xs_wire.h>

/* Once in the life of this process where nobody serves consoles; on an idle machine it takes a few milliseconds. */
#define PATIENCE_MS 2000

enum console_state { CONSOLE_NONE, CONSOLE_NEW, CONSOLE_TAKEN };

static void console_path(char *path, size_t room, uint32_t domid, const char *name)
{
    snprintf(path, room, "/local/domain/%" PRIu32 "/console/%s", domid, name);
}

/* With the watch on the node that is waited for, or its removal, before the look. */
static enum console_state look(struct store *store, uint32_t domid, uint32_t watch_request)
{
    char tty[80], port[80], watch[100];
    struct store_batch batch = {0};
    console_path(tty, sizeof tty, domid, "tty");
    console_path(port, sizeof port, domid, "port");
    size_t length = strlen(tty) + 1;
    memcpy(watch, tty, length);
    memcpy(watch + length, "tty", sizeof "tty");
    if (watch_request != 0)
        batch_add(store, &batch, watch_request, watch, length + sizeof "tty");
    unsigned int there = batch_read(store, &batch, port), taken = batch_read(store, &batch, tty);
    enum console_state state = CONSOLE_NONE;
    if (store_send(store, &batch) == 0 && store_receive(store, &batch) == 0) {
        if (batch.requests[taken].error == 0)
            state = CONSOLE_TAKEN;
        else if (batch.requests[there].error == 0)
            state = CONSOLE_NEW;
    }
    batch_free(&batch);
    return state;
}

void await_console(struct builder *builder, uint32_t domid)
{
    struct store *store = &builder->store;
    enum console_state state = look(store, domid, 0);
    if (state == CONSOLE_NEW && !builder->no_console) {
        state = look(store, domid, XS_WATCH);
        while (state == CONSOLE_NEW && store_await_event(store, PATIENCE_MS) > 0)
            state = look(store, domid, 0);
        enum console_state last = look(store, domid, XS_UNWATCH);
        builder->no_console = state == CONSOLE_NEW && last == CONSOLE_NEW;
    }
    if (state == CONSOLE_TAKEN)
        builder->no_console = false;
}
