/* What the compiler calls by name where code copies, fills or compares: there is no C library. Eight bytes at a time. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void *memcpy(void *restrict target, const void *restrict source, size_t bytes)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    for (; bytes >= sizeof(word); bytes -= sizeof(word), to += sizeof(word), from += sizeof(word))
        *(word *)to = *(const word *)from;
    while (bytes-- > 0)
        *to++ = *from++;
    return target;
}

void *memset(void *target, int value, size_t bytes)
{
    uint8_t *to = target;
    const word pattern = (uint8_t)value * 0x0101010101010101ull;
    for (; bytes >= sizeof(word); bytes -= sizeof(word), to += sizeof(word))
        *(word *)to = pattern;
    while (bytes-- > 0)
        *to++ = (uint8_t)value;
    return target;
}

int memcmp(const void *first, const void *second, size_t bytes)
{
    const uint8_t *a = first, *b = second;
    for (; bytes > 0; bytes--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}
