/*
 * One line of JSON, parsed where it lies: strings are unescaped in place, nodes come from a pool of fixed size. Enough for requests
 * of a handful of members; what does not fit is refused, never cut.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    const char *name;         /* of a member */
    const char *text;         /* of a string; a number as it was written */
    const struct json *first; /* of an array or object */
    const struct json *next;
};

#define JSON_NODES 128

struct json_pool {
    struct json nodes[JSON_NODES];
    unsigned int used;
};

/* NULL when it is not one JSON value, or one of more than JSON_NODES. `line` is changed and stays in use. */
const struct json *json_parse(struct json_pool *pool, char *line);
/* NULL when it is no object or has no such member. */
const struct json *json_member(const struct json *object, const char *name);
/* A whole number from `least` to `most`. */
bool json_whole(const struct json *value, uint64_t least, uint64_t most, uint64_t *number);

/* `text` as a JSON string; bytes over 0x7f go out as they are. */
void json_print(FILE *out, const char *text);

#endif
