/* Xenstore's two rings. Each of the store's indices is read once, and distrusted. */
#include "store_wire.h"

#include "text.h"

#define RING_BYTES 1024u
#define REQUESTS_OFFSET 0
#define REPLIES_OFFSET 1024
#define REQUEST_CONS 2048
#define REQUEST_PROD 2052
#define REPLY_CONS 2056
#define REPLY_PROD 2060
/* oxenstored sends a long list in one message, whatever the protocol says; more than this is no message. */
#define REPLY_BYTES_MAX (1u << 20)
_Static_assert(sizeof(struct store_header) == CONDUIT_XS_HEADER_BYTES, "xs_wire.h, struct xsd_sockmsg");

static volatile uint32_t *index_at(const struct store_wire *wire, uint32_t offset)
{
    return (volatile uint32_t *)(wire->page + offset);
}

uint32_t store_wire_body(const struct store_wire *wire)
{
    const uint32_t length = wire->message.header.length;
    return length < CONDUIT_XS_PAYLOAD_MAX ? length : CONDUIT_XS_PAYLOAD_MAX;
}

void store_wire_init(struct store_wire *wire, volatile uint8_t *page)
{
    memset(wire, 0, sizeof *wire);
    wire->page = page;
    wire->sent = *index_at(wire, REQUEST_PROD);
    wire->taken = *index_at(wire, REPLY_CONS);
}

static void put(struct store_wire *wire, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length-- > 0)
        wire->page[REQUESTS_OFFSET + (wire->sent++ & (RING_BYTES - 1))] = *from++;
}

bool store_wire_send(struct store_wire *wire, struct store_header header, const char *path, const char *rest)
{
    const size_t path_bytes = strlen(path) + 1, rest_bytes = header.length;
    const uint32_t used = wire->sent - __atomic_load_n(index_at(wire, REQUEST_CONS), __ATOMIC_ACQUIRE);
    wire->broken |= used > RING_BYTES;
    if (wire->broken || sizeof header + path_bytes + rest_bytes > RING_BYTES - used)
        return false;
    header.length = (uint32_t)(path_bytes + rest_bytes);
    put(wire, &header, sizeof header);
    put(wire, path, path_bytes);
    put(wire, rest, rest_bytes);
    __atomic_store_n(index_at(wire, REQUEST_PROD), wire->sent, __ATOMIC_SEQ_CST);
    wire->kick = true;
    return true;
}

/* How much more the message under way needs, as far as is known. */
static uint32_t missing(const struct store_wire *wire)
{
    const uint32_t whole = sizeof wire->message.header + (wire->have < sizeof wire->message.header ? 0 : wire->message.header.length);
    return whole - wire->have;
}

static void take(struct store_wire *wire, uint32_t length)
{
    while (length-- > 0) {
        const uint8_t byte = wire->page[REPLIES_OFFSET + (wire->taken++ & (RING_BYTES - 1))];
        /* The body lies behind the header; what has no room is lost. */
        if (wire->have < sizeof wire->message.header + CONDUIT_XS_PAYLOAD_MAX)
            ((uint8_t *)&wire->message)[wire->have] = byte;
        wire->have++;
    }
}

bool store_wire_receive(struct store_wire *wire)
{
    if (wire->have >= sizeof wire->message.header && missing(wire) == 0)
        wire->have = 0;
    for (;;) {
        const uint32_t ready = __atomic_load_n(index_at(wire, REPLY_PROD), __ATOMIC_ACQUIRE) - wire->taken;
        wire->broken |= ready > RING_BYTES;
        if (wire->broken || ready == 0)
            return false;
        const uint32_t wanted = missing(wire);
        take(wire, wanted < ready ? wanted : ready);
        __atomic_store_n(index_at(wire, REPLY_CONS), wire->taken, __ATOMIC_SEQ_CST);
        /* The store waits for room only where there was none. */
        wire->kick |= ready == RING_BYTES;
        if (wire->have < sizeof wire->message.header)
            continue;
        if (wire->message.header.length > REPLY_BYTES_MAX) {
            wire->broken = true;
            return false;
        }
        if (missing(wire) == 0) {
            wire->message.body[store_wire_body(wire)] = '\0';
            return true;
        }
    }
}
