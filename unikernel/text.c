/* Text in bounded buffers. */
#include "text.h"

#define DECIMAL_DIGITS 10

static size_t decimal(char *out, uint32_t number)
{
    char digits[DECIMAL_DIGITS];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

size_t format_list(char *out, size_t room, const char *pattern, va_list list)
{
    size_t length = 0;
    for (; *pattern != '\0'; pattern++) {
        char digits[DECIMAL_DIGITS];
        const char *piece = pattern;
        size_t bytes = 1;
        if (*pattern == '%' && *++pattern == 's') {
            piece = va_arg(list, const char *);
            bytes = strlen(piece);
        } else if (piece != pattern && *pattern == 'u') {
            bytes = decimal(digits, va_arg(list, uint32_t));
            piece = digits;
        }
        if (bytes > room - 1 - length)
            bytes = room - 1 - length;
        memcpy(out + length, piece, bytes);
        length += bytes;
    }
    out[length] = '\0';
    return length;
}

size_t format(char *out, size_t room, const char *pattern, ...)
{
    va_list list;
    va_start(list, pattern);
    const size_t length = format_list(out, room, pattern, list);
    va_end(list);
    return length;
}

bool text_equals(const char *text, const char *other)
{
    for (; *text == *other; text++, other++)
        if (*text == '\0')
            return true;
    return false;
}

bool text_starts(const char *text, const char *start)
{
    while (*start != '\0')
        if (*text++ != *start++)
            return false;
    return true;
}

bool text_number(const char *text, size_t length, uint32_t most, uint32_t *number)
{
    uint64_t value = 0;
    /* Lengths that were errors are far too large. */
    if (length == 0 || length > DECIMAL_DIGITS || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = (uint32_t)value;
    return value <= most;
}
