/* The parser of requests, and the writer of strings. */
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Requests are two levels deep: enough for any, and no way to use up the stack. */
#define DEPTH_MAX 8

struct parser {
    struct json_pool *pool;
    char *at;
};

static bool parse_value(struct parser *parser, struct json *into, int depth);

static void skip_blanks(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t\r\n");
}

static bool take(struct parser *parser, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    return true;
}

static struct json *new_node(struct parser *parser)
{
    if (parser->pool->used == JSON_NODES)
        return NULL;
    struct json *node = &parser->pool->nodes[parser->pool->used++];
    *node = (struct json){0};
    return node;
}

/* Four hex digits; -1 when they are not. */
static long hex_unit(const char *digits)
{
    long unit = 0;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)digits[i]))
            return -1;
        unit = unit * 16 + (isdigit((unsigned char)digits[i]) ? digits[i] - '0' : (digits[i] | 0x20) - 'a' + 10);
    }
    return unit;
}

/* NUL would end the string, and half a surrogate pair is no character: neither is taken. Never longer than its escape. */
static bool unescape_unicode(struct parser *parser, char **out)
{
    long code = hex_unit(parser->at);
    if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    parser->at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        long low = take(parser, "\\u") ? hex_unit(parser->at) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        parser->at += 4;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    *(*out)++ = (char)(lead[more] | (code >> (6 * more)));
    while (more-- > 0)
        *(*out)++ = (char)(0x80 | ((code >> (6 * more)) & 0x3f));
    return true;
}

static const char *parse_string(struct parser *parser)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (!take(parser, "\""))
        return NULL;
    char *start = parser->at, *out = start;
    while (*parser->at != '"') {
        unsigned char byte = (unsigned char)*parser->at++;
        if (byte < 0x20)
            return NULL;
        if (byte != '\\') {
            *out++ = (char)byte;
            continue;
        }
        char kind = *parser->at++;
        const char *found = kind == '\0' ? NULL : strchr(escapes, kind);
        if (found)
            *out++ = meant[found - escapes];
        else if (kind != 'u' || !unescape_unicode(parser, &out))
            return NULL;
    }
    parser->at++;
    *out = '\0';
    return start;
}

/* Its text is kept up to the character behind it, which the caller has looked at by then. */
static bool parse_number(struct parser *parser, struct json *into)
{
    size_t length = strspn(parser->at, "+-.0123456789eE");
    char *end;
    strtod(parser->at, &end);
    if (length == 0 || end != parser->at + length)
        return false;
    into->type = JSON_NUMBER;
    into->text = parser->at;
    parser->at = end;
    return true;
}

static bool parse_members(struct parser *parser, struct json *into, int depth)
{
    bool object = into->type == JSON_OBJECT;
    const char *close = object ? "}" : "]";
    const struct json **link = &into->first;
    skip_blanks(parser);
    if (take(parser, close))
        return true;
    for (;;) {
        struct json *member = new_node(parser);
        skip_blanks(parser);
        if (!member || (object && !(member->name = parse_string(parser))))
            return false;
        skip_blanks(parser);
        if ((object && !take(parser, ":")) || !parse_value(parser, member, depth + 1))
            return false;
        *link = member;
        link = &member->next;
        skip_blanks(parser);
        if (take(parser, close))
            return true;
        if (!take(parser, ","))
            return false;
    }
}

static bool parse_value(struct parser *parser, struct json *into, int depth)
{
    if (depth > DEPTH_MAX)
        return false;
    skip_blanks(parser);
    if (take(parser, "{")) {
        into->type = JSON_OBJECT;
        return parse_members(parser, into, depth);
    }
    if (take(parser, "[")) {
        into->type = JSON_ARRAY;
        return parse_members(parser, into, depth);
    }
    if (*parser->at == '"') {
        into->type = JSON_STRING;
        return (into->text = parse_string(parser)) != NULL;
    }
    if (take(parser, "true"))
        into->type = JSON_TRUE;
    else if (take(parser, "false"))
        into->type = JSON_FALSE;
    else if (take(parser, "null"))
        into->type = JSON_NULL;
    else
        return parse_number(parser, into);
    return true;
}

const struct json *json_parse(struct json_pool *pool, char *line)
{
    pool->used = 0;
    struct parser parser = {pool, line};
    struct json *root = new_node(&parser);
    if (!parse_value(&parser, root, 0))
        return NULL;
    skip_blanks(&parser);
    return *parser.at == '\0' ? root : NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if (strcmp(member->name, name) == 0)
            return member;
    return NULL;
}

bool json_whole(const struct json *value, uint64_t least, uint64_t most, uint64_t *number)
{
    if (!value || value->type != JSON_NUMBER || !isdigit((unsigned char)*value->text))
        return false;
    char *end;
    errno = 0;
    *number = strtoull(value->text, &end, 10);
    return errno == 0 && !strchr(".eE", *end ? *end : ' ') && *number >= least && *number <= most;
}

void json_print(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == '"' || byte == '\\')
            fprintf(out, "\\u%04x", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}
