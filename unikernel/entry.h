/*
 * What a client writes under a name's `listen`, and what a server answers there: protocol/conduit-entry.ts. Which names and
 * ports can be: protocol/conduit-name.ts. Takes whatever another domain wrote.
 */
#ifndef ENTRY_H
#define ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest name or port, with a NUL. */
#define NAME_BYTES 64
/* Longest entry that is looked at, with a NUL (S_EXPRESSION_CHARS of protocol/s-expression.ts). */
#define ENTRY_BYTES 513
#define CONNECTION_ID_DIGITS 12

enum entry_kind { ENTRY_CONNECT, ENTRY_ACCEPTED, ENTRY_REFUSED, ENTRY_WRONG };

struct connect_request {
    char port[NAME_BYTES]; /* empty: none named */
    bool message_mode;
    uint32_t ring_bytes; /* 0: the server's choice */
};

/* `text` has ENTRY_BYTES, a NUL in them, and is taken apart where it is; `length` may be more than fitted. */
enum entry_kind entry_parse(char *text, size_t length, struct connect_request *request);

bool name_can_be(const char *name, size_t length);
bool port_can_be(const char *port, size_t length);

/* 12 hexadecimal digits, lower case, and nothing else. */
bool connection_id_parse(const char *text, uint64_t *id);
/* `text` has room for the digits and a NUL. */
void connection_id_format(char *text, uint64_t id);

/* Which request of which client: the id's 48 bits, and the client's number above them. */
static inline uint64_t request_of(uint32_t client, uint64_t id)
{
    return (uint64_t)client << 48 | id;
}

static inline uint16_t request_client(uint64_t request)
{
    return (uint16_t)(request >> 48);
}

static inline uint64_t request_id(uint64_t request)
{
    return request & 0xffffffffffffull;
}

/* `name` or `name:port` taken apart; false: it is neither. Both have NAME_BYTES; no port is an empty one. */
bool address_parse(const char *address, char *name, char *port);

#endif
