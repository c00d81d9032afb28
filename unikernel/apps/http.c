/*
 * HTTP/1.1: GET and HEAD of static pages, those of the image and those under data/http in xenstore, which come first. One
 * request after the other on a connection, also when they come all at once; a bad one is answered and ends it.
 */
#include "../app.h"
#include "../../protocol/conduit-protocol.h"
#include "../http_pages.h"
#include "../http_request.h"
#include "../store.h"

#define REQUEST_BYTES 2048
#define PAGE_PATH_BYTES 128
#define STORE_PAGES "data/http"

struct answer {
    const char *status, *type; /* the status with its reason, perhaps with fields behind it */
    const void *body;
    size_t length;
};

/* Whether there are pages in the store: unknown counts as yes. Known from a watch, so that a page of the image costs no question. */
static bool store_may_have_pages = true;
static uint32_t store_is_watched;

static void on_store_pages(const char *path)
{
    (void)path;
    store_may_have_pages = true;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && text_equals(text + length - end_length, end);
}

static const char *type_of(const char *path)
{
    return ends_with(path, ".css")   ? "text/css"
           : ends_with(path, ".js")  ? "text/javascript"
           : ends_with(path, ".svg") ? "image/svg+xml"
           : ends_with(path, ".txt") ? "text/plain"
                                     : "text/html";
}

/* `/` is `/index.html`; in the store names have no dot: `/a/b.css` is data/http/a/b@css, `/about.html` data/http/about. */
static bool page_path(const char *page, char *path)
{
    const size_t start = sizeof STORE_PAGES - 1;
    size_t length = store_path(path, STORE_PAGES "%s", page);
    if (ends_with(path, ".html"))
        path[length -= sizeof ".html" - 1] = '\0';
    for (size_t i = start; i < length; i++) {
        const char lower = (char)(path[i] | 0x20);
        if (path[i] == '.')
            path[i] = '@';
        else if ((lower < 'a' || lower > 'z') && (path[i] < '0' || path[i] > '9') && path[i] != '_' && path[i] != '-' &&
                 (path[i] != '/' || path[i + 1] == '/'))
            return false;
    }
    return true;
}

static bool find_in_store(const char *page, char *bytes, size_t room, struct answer *answer)
{
    char path[STORE_PATH_BYTES];
    if (store_is_watched == 0)
        store_is_watched = store_watch(STORE_PAGES, on_store_pages);
    if (!store_may_have_pages || !page_path(page, path))
        return false;
    const long length = store_read(path, bytes, room);
    if (length >= 0) {
        answer->body = bytes;
        answer->length = (size_t)length;
        return true;
    }
    /* Order matters: what is written from here on fires the watch. */
    store_may_have_pages = false;
    store_may_have_pages |= store_directory(STORE_PAGES, path, sizeof path) > 0;
    return false;
}

static bool find_in_image(const char *page, struct answer *answer)
{
    for (const struct http_page *each = http_pages; each->path != NULL; each++)
        if (text_equals(each->path, page)) {
            answer->body = each->bytes;
            answer->length = each->length;
            return true;
        }
    return false;
}

/* A page that is nowhere leaves the answer as it is. */
static void find_page(const char *asked, char *bytes, size_t room, struct answer *answer)
{
    char page[PAGE_PATH_BYTES];
    format(page, sizeof page, "%s%s", asked, ends_with(asked, "/") ? "index.html" : "");
    if (!find_in_store(page, bytes, room, answer) && !find_in_image(page, answer))
        return;
    answer->status = "200 OK";
    answer->type = type_of(page);
}

/* What is told where there is no page: the number alone. */
static struct answer refusal(const char *status)
{
    return (struct answer){.status = status, .type = "text/plain", .body = status, .length = sizeof "404" - 1};
}

static bool respond(struct connection *connection, const struct answer *answer, const struct http_request *request)
{
    char head[256];
    const char *stays = !request->keep_alive ? "close" : "keep-alive";
    const size_t length =
        format(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %u\r\nConnection: %s\r\n\r\n",
               answer->status, answer->type, (uint32_t)answer->length, stays);
    return send(connection, head, length) && (request->head_only || send(connection, answer->body, answer->length));
}

/* False: the connection is to end. */
static bool serve(struct connection *connection, char *head, size_t length)
{
    char page[CONDUIT_XS_PAYLOAD_MAX + 1];
    struct http_request request;
    const char *why = http_parse(head, length, &request);
    struct answer answer = refusal(why != NULL ? why : "404 Not Found");
    if (why == NULL)
        find_page(request.path, page, sizeof page, &answer);
    return respond(connection, &answer, &request) && request.keep_alive;
}

void app(struct connection *connection)
{
    char bytes[REQUEST_BYTES];
    size_t have = 0;
    for (;;) {
        const size_t head = http_head_length(bytes, have);
        if (head > 0) {
            if (!serve(connection, bytes, head))
                return;
            have -= head;
            for (size_t i = 0; i < have; i++)
                bytes[i] = bytes[head + i];
        } else if (have == sizeof bytes) {
            const struct answer too_large = refusal("431 Request Header Fields Too Large");
            respond(connection, &too_large, &(struct http_request){0});
            return;
        } else {
            const long count = receive(connection, bytes + have, sizeof bytes - have);
            if (count <= 0)
                return;
            have += (size_t)count;
        }
    }
}
