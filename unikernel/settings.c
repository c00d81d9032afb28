/* The command line, split where it lies. */
#include "settings.h"

#include "console.h"
#include "text.h"

#define LINE_BYTES 1024

/* Words, each with its NUL, and an empty one at the end. */
static char words[LINE_BYTES + 1];

void settings_init(const char *command_line)
{
    size_t length = 0;
    for (size_t i = 0; command_line[i] != '\0' && length < LINE_BYTES - 1; i++) {
        const bool space = command_line[i] == ' ';
        if (!space)
            words[length++] = command_line[i];
        else if (length > 0 && words[length - 1] != '\0')
            words[length++] = '\0';
    }
}

const char *setting(const char *key)
{
    const size_t length = strlen(key);
    for (const char *word = words; *word != '\0'; word += strlen(word) + 1)
        if (text_starts(word, key) && word[length] == '=')
            return word + length + 1;
    return NULL;
}

bool setting_number(const char *key, uint32_t most, uint32_t *number)
{
    const char *value = setting(key);
    if (value == NULL)
        return false;
    if (!text_number(value, strlen(value), most, number))
        guest_crash(key);
    return true;
}
