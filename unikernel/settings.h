/* The command line: `key=value`, separated by spaces. Keys that nobody asks for are nobody's. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

void settings_init(const char *command_line);

/* NULL: it is not there. The first of several counts. */
const char *setting(const char *key);

/* The number of a key; false: it is not there. One that is no number up to `most` crashes the guest. */
bool setting_number(const char *key, uint32_t most, uint32_t *number);

#endif
