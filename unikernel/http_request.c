/* Line by line; a line ends with LF, with a CR before it or not (RFC 9112, 2.2). Each gets a NUL for it, as words do. */
#include "http_request.h"

#include "text.h"

#define BAD "400 Bad Request"

size_t http_head_length(const char *bytes, size_t length)
{
    bool line_is_empty = true, any_line = false;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            /* Empty lines before the request are nobody's (RFC 9112, 2.2). */
            if (line_is_empty && any_line)
                return i + 1;
            line_is_empty = true;
        } else if (bytes[i] != '\r') {
            line_is_empty = false;
            any_line = true;
        }
    }
    return 0;
}

/* Takes the text up to `end` off the rest; NULL: it is not in there. */
static char *take_until(char **rest, char end)
{
    char *const start = *rest;
    for (char *at = start; *at != '\0'; at++)
        if (*at == end) {
            *at = '\0';
            *rest = at + 1;
            return start;
        }
    return NULL;
}

/* Never NULL in a head that http_head_length has found. */
static char *take_line(char **rest)
{
    char *line = take_until(rest, '\n');
    const size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    return line;
}

/* Control characters have no business in a head, and a NUL would end it before its end. */
static bool has_controls(const char *head, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (head[i] == 0x7f || (head[i] >= 0 && head[i] < ' ' && head[i] != '\t' && head[i] != '\r' && head[i] != '\n'))
            return true;
    return false;
}

static const char *parse_version(const char *version, struct http_request *request)
{
    if (strlen(version) != sizeof "HTTP/1.1" - 1 || !text_starts(version, "HTTP/") || version[6] != '.')
        return BAD;
    request->old = version[7] == '0';
    return version[5] == '1' ? NULL : "505 HTTP Version Not Supported";
}

static const char *parse_request_line(char *line, struct http_request *request)
{
    const char *method = take_until(&line, ' ');
    char *target = take_until(&line, ' ');
    if (target == NULL || *method == '\0')
        return BAD;
    const char *why = parse_version(line, request);
    if (why != NULL)
        return why;
    request->head_only = text_equals(method, "HEAD");
    if (!request->head_only && !text_equals(method, "GET"))
        return "405 Method Not Allowed\r\nAllow: GET, HEAD";
    /* `http://host/path` counts as `/path` (RFC 9112, 3.2.2). */
    if (text_starts(target, "http://"))
        for (target += sizeof "http://" - 1; *target != '\0' && *target != '/'; target++) {
        }
    if (*target != '/')
        return BAD;
    request->path = target;
    take_until(&target, '?');
    return NULL;
}

static bool contains(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (text_starts(text, part))
            return true;
    return false;
}

static void to_lower(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text |= 0x20;
}

/* A field's name has no space in it, nor before its colon (RFC 9112, 5.1). */
static bool is_field_name(const char *name)
{
    const char *at = name;
    while (*at > ' ')
        at++;
    return *at == '\0' && at != name;
}

const char *http_parse(char *head, size_t length, struct http_request *request)
{
    unsigned hosts = 0;
    bool close = false, stays = false;
    char *line;
    *request = (struct http_request){0};
    if (has_controls(head, length))
        return BAD;
    do {
        line = take_line(&head);
    } while (*line == '\0');
    const char *why = parse_request_line(line, request);
    if (why != NULL)
        return why;
    while (*(line = take_line(&head)) != '\0') {
        char *name = take_until(&line, ':');
        if (name == NULL || !is_field_name(name))
            return BAD;
        to_lower(name);
        to_lower(line);
        hosts += text_equals(name, "host");
        const bool connection = text_equals(name, "connection");
        stays |= connection && contains(line, "keep-alive");
        /* A body is for nobody: what comes after it would be looked for in the wrong place. */
        close |= (connection && contains(line, "close")) || text_equals(name, "content-length") ||
                 text_equals(name, "transfer-encoding");
    }
    if (hosts > 1 || (hosts == 0 && !request->old))
        return BAD;
    request->keep_alive = !close && (stays || !request->old);
    return NULL;
}
