/* Entries, names and ids: text of other domains', read once into our memory and taken apart here. */
#include "entry.h"

#include "../protocol/conduit-protocol.h"
#include "text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool separates(char c)
{
    return c == '(' || c == ')' || c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word, which gets a NUL; empty: there is none. */
static char *next_word(char **rest)
{
    char *word = *rest;
    while (separates(*word))
        word++;
    char *end = word;
    while (*end != '\0' && !separates(*end))
        end++;
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

/* How many brackets open; -1: they do not open and close as in `(head (key value) (key value))`. */
static int count_brackets(const char *text)
{
    int depth = 0, count = 0;
    for (; *text != '\0'; text++) {
        if (*text == '(' && ++depth <= 2)
            count++;
        else if (*text == '(' || (*text == ')' && --depth < 0) || (depth == 0 && !separates(*text)))
            return -1;
    }
    return depth == 0 ? count : -1;
}

/* A field twice is as wrong as one that is unknown. */
static bool set_field(struct connect_request *request, const char *key, const char *value, bool *has_mode)
{
    const size_t length = strlen(value);
    if (text_equals(key, "mode") && !*has_mode) {
        *has_mode = true;
        request->message_mode = text_equals(value, "message");
        return request->message_mode || text_equals(value, "stream");
    }
    if (text_equals(key, "port") && request->port[0] == '\0' && port_can_be(value, length)) {
        memcpy(request->port, value, length + 1);
        return true;
    }
    return text_equals(key, "ring") && request->ring_bytes == 0 &&
           text_number(value, length, 1u << CONDUIT_VCHAN_ORDER_MAX, &request->ring_bytes) &&
           request->ring_bytes >= 1u << CONDUIT_VCHAN_ORDER_SMALL;
}

/* `(connect (port http) (mode stream) (ring 65536))`: the mode always, the others if need be. */
enum entry_kind entry_parse(char *text, size_t length, struct connect_request *request)
{
    bool has_mode = false;
    *request = (struct connect_request){0};
    if (length != strlen(text))
        return ENTRY_WRONG;
    if (text_equals(text, "accepted"))
        return ENTRY_ACCEPTED;
    if (text_starts(text, "refused "))
        return ENTRY_REFUSED;
    int fields = count_brackets(text) - 1;
    if (!text_equals(next_word(&text), "connect"))
        return ENTRY_WRONG;
    while (fields-- > 0) {
        const char *key = next_word(&text), *value = next_word(&text);
        if (!set_field(request, key, value, &has_mode))
            return ENTRY_WRONG;
    }
    return has_mode && *next_word(&text) == '\0' ? ENTRY_CONNECT : ENTRY_WRONG;
}

bool port_can_be(const char *port, size_t length)
{
    if (length == 0 || length >= NAME_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_lower(port[i]) && !is_digit(port[i]) && port[i] != '_' && port[i] != '-')
            return false;
    return true;
}

bool name_can_be(const char *name, size_t length)
{
    if (!port_can_be(name, length) || name[0] == '_' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(name[i]))
            return true;
    return false;
}

bool connection_id_parse(const char *text, uint64_t *id)
{
    *id = 0;
    for (int i = 0; i < CONNECTION_ID_DIGITS; i++, text++) {
        if (!is_digit(*text) && (*text < 'a' || *text > 'f'))
            return false;
        *id = *id << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    }
    return *text == '\0';
}

void connection_id_format(char *text, uint64_t id)
{
    for (int i = CONNECTION_ID_DIGITS; i-- > 0; id >>= 4)
        text[i] = "0123456789abcdef"[id & 15];
    text[CONNECTION_ID_DIGITS] = '\0';
}

bool address_parse(const char *address, char *name, char *port)
{
    size_t length = 0;
    while (address[length] != '\0' && address[length] != ':')
        length++;
    if (!name_can_be(address, length))
        return false;
    memcpy(name, address, length);
    name[length] = '\0';
    port[0] = '\0';
    if (address[length] == '\0')
        return true;
    const char *rest = address + length + 1;
    if (!port_can_be(rest, strlen(rest)))
        return false;
    memcpy(port, rest, strlen(rest) + 1);
    return true;
}
