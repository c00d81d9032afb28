/*
 * The parts of the guest that know no hypervisor, as a program for any machine: what peers can send goes in on stdin, what is made
 * of it comes out, a line for each record. A record is a u32 and so many bytes. Built with sanitizers by the project's tests.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../arch.h"
#include "../entry.h"
#include "../event.h"
#include "../http_request.h"
#include "../store_wire.h"
#include "../text.h"
#include "../vchan.h"

static unsigned kicks;

void event_send(uint32_t port)
{
    (void)port;
    kicks++;
}

static void check_number(char *text, size_t length)
{
    uint32_t number = 0;
    if (text_number(text, length, UINT32_MAX, &number))
        printf("%u\n", number);
    else
        puts("none");
}

static void check_entry(char *text, size_t length)
{
    static const char *const kinds[] = {"connect", "accepted", "refused", "wrong"};
    struct connect_request request = {0};
    const enum entry_kind kind = entry_parse(text, length, &request);
    if (kind == ENTRY_CONNECT)
        printf("connect port=%s mode=%s ring=%u\n", request.port, request.message_mode ? "message" : "stream", request.ring_bytes);
    else
        puts(kinds[kind]);
}

static void check_address(char *text, size_t length)
{
    char name[NAME_BYTES], port[NAME_BYTES];
    (void)length;
    if (address_parse(text, name, port))
        printf("name=%s port=%s\n", name, port);
    else
        puts("none");
}

/* Each head that the bytes begin with, and how many bytes are left. */
static void check_http(char *bytes, size_t length)
{
    size_t head;
    for (; (head = http_head_length(bytes, length)) > 0; bytes += head, length -= head) {
        struct http_request request;
        const char *why = http_parse(bytes, head, &request);
        if (why != NULL)
            printf("%.3s ", why);
        else
            printf("%s%s%s ", request.head_only ? "HEAD:" : "", request.path, request.keep_alive ? "" : ":close");
    }
    printf("+%zu\n", length);
}

static uint8_t store_page[PAGE_BYTES];
static struct store_wire wire;

static void print_messages(void)
{
    while (store_wire_receive(&wire))
        printf("%u/%u:%u ", wire.message.header.type, wire.message.header.id, wire.message.header.length);
    puts(wire.broken ? "broken" : "whole");
}

/* What a store appends to its ring, as much at a time as there is room for. */
static void check_replies(char *bytes, size_t length)
{
    volatile uint32_t *cons = (volatile uint32_t *)(store_page + 2056), *prod = (volatile uint32_t *)(store_page + 2060);
    while (length > 0 && !wire.broken) {
        for (; length > 0 && *prod - *cons < 1024; length--)
            store_page[1024 + (*prod)++ % 1024] = (uint8_t)*bytes++;
        if (length > 0 && store_wire_receive(&wire))
            printf("%u/%u:%u ", wire.message.header.type, wire.message.header.id, wire.message.header.length);
    }
    print_messages();
}

/* An index as it is. */
static void check_reply_index(char *bytes, size_t length)
{
    memcpy(store_page + 2060, bytes, length < 4 ? length : 4);
    print_messages();
}

static void print_traffic(struct vchan *channel)
{
    uint8_t bytes[4096];
    const unsigned before = kicks;
    const long received = vchan_receive(channel, bytes, sizeof bytes), sent = vchan_send(channel, bytes, sizeof bytes);
    vchan_signal(channel);
    printf("received=%ld sent=%ld drained=%d half=%d kicked=%u\n", received, sent, vchan_drained(channel),
           vchan_half_closes(channel), kicks - before);
}

/* A page that a server shows to us as its client. Rings of their own are given as many bytes as their order says. */
static void check_client_page(char *bytes, size_t length)
{
    uint8_t *page = calloc(1, PAGE_BYTES), *rings[2] = {NULL, NULL};
    struct vchan_offer offer;
    struct vchan channel = {.port = 1};
    memcpy(page, bytes, length < PAGE_BYTES ? length : PAGE_BYTES);
    if (vchan_examine(page, &offer)) {
        printf("orders=%u,%u pages=%u,%u ", offer.orders.left, offer.orders.right, offer.left_pages, offer.right_pages);
        rings[0] = calloc(offer.left_pages + 1, PAGE_BYTES);
        rings[1] = calloc(offer.right_pages + 1, PAGE_BYTES);
        vchan_connect(&channel, page, &offer, rings[0], rings[1]);
        print_traffic(&channel);
    } else {
        puts("none");
    }
    free(rings[0]);
    free(rings[1]);
    free(page);
}

/* A page that we serve, after its client has written this over all of it. */
static void check_server_page(char *bytes, size_t length)
{
    uint8_t *page = calloc(1, PAGE_BYTES);
    struct vchan channel = {.port = 1};
    vchan_serve(&channel, page, vchan_orders_for(0), NULL, NULL);
    memcpy(page, bytes, length < PAGE_BYTES ? length : PAGE_BYTES);
    print_traffic(&channel);
    free(page);
}

/* What a server with rings of so many bytes shows: the page's first 64 bytes and its end marks, in hexadecimal. */
static void check_offer(char *bytes, size_t length)
{
    uint8_t *page = calloc(1, PAGE_BYTES), *ring = calloc(1, PAGE_BYTES);
    struct vchan channel = {.port = 1};
    uint32_t size = 0;
    text_number(bytes, length, UINT32_MAX, &size);
    vchan_serve(&channel, page, vchan_orders_for(size), ring, ring);
    for (int i = 0; i < 64; i++)
        printf("%02x", page[i]);
    printf(" %u ", channel.marks);
    for (int i = 0; i < CONDUIT_VCHAN_END_MARK_BYTES; i++)
        printf("%02x", page[channel.marks + (uint32_t)i]);
    puts("");
    free(page);
    free(ring);
}

static const struct {
    const char *name;
    void (*check)(char *bytes, size_t length);
} checks[] = {
    {"number", check_number},           {"entry", check_entry},
    {"address", check_address},         {"http", check_http},
    {"replies", check_replies},         {"reply-index", check_reply_index},
    {"client-page", check_client_page}, {"server-page", check_server_page},
    {"offer", check_offer},
};

int main(int argc, char **argv)
{
    store_wire_init(&wire, store_page);
    for (size_t i = 0; argc == 2 && i < sizeof checks / sizeof checks[0]; i++) {
        if (!text_equals(argv[1], checks[i].name))
            continue;
        for (uint32_t length; fread(&length, sizeof length, 1, stdin) == 1;) {
            /* Exactly as long as the record and its NUL, so that one byte further is noticed. */
            char *bytes = calloc(1, length + 1);
            if (fread(bytes, 1, length, stdin) != length)
                return 1;
            checks[i].check(bytes, length);
            free(bytes);
        }
        return 0;
    }
    fprintf(stderr, "usage: check NAME < RECORDS\n");
    return 2;
}
