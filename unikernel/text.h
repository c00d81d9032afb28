/* Text in bounded buffers: formatting, strict decimal numbers, comparison. Takes whatever a peer wrote. */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The C library's by name and meaning; memory.c has them. */
void *memcpy(void *restrict target, const void *restrict source, size_t bytes);
void *memset(void *target, int value, size_t bytes);
int memcmp(const void *first, const void *second, size_t bytes);
size_t strlen(const char *text);

/* Knows %s, %u (32 bits) and %%. Ends with NUL and cuts off what has no room. Returns the length of what is there. */
size_t format(char *out, size_t room, const char *pattern, ...) __attribute__((format(printf, 3, 4)));
size_t format_list(char *out, size_t room, const char *pattern, va_list list);

bool text_equals(const char *text, const char *other);
bool text_starts(const char *text, const char *start);

/* Digits only, no leading zero but for 0 itself, and not above `most`: false otherwise, and for no digits at all. */
bool text_number(const char *text, size_t length, uint32_t most, uint32_t *number);

#endif
