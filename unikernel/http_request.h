/* The head of an HTTP/1.1 request (RFC 9112): text of a peer that may be anybody, taken apart where it lies. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct http_request {
    const char *path; /* begins with a slash, without a query, as it was sent; in the head's own bytes */
    bool head_only;
    bool keep_alive;
    bool old; /* HTTP/1.0: it has to be told that the connection stays open */
};

/* How many of these bytes are the head, its empty line included; 0: it is not all there yet. */
size_t http_head_length(const char *bytes, size_t length);

/* NULL, or status and reason of why there is no request in this head; the connection ends then. */
const char *http_parse(char *head, size_t length, struct http_request *request);

#endif
