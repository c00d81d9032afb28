/* The pages that are part of the image: build.mjs makes the table from a folder of files. */
#ifndef HTTP_PAGES_H
#define HTTP_PAGES_H

#include <stdint.h>

struct http_page {
    const char *path; /* begins with a slash; NULL ends the table */
    const uint8_t *bytes;
    uint64_t length;
};

extern const struct http_page http_pages[];

#endif
