/* UUIDs that name the process which built the domain. */
#include "mark.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of no vendor: drawn once. */
static const uint8_t CONSTANT[4] = {0xc0, 0x4d, 0x17, 0xb1};

struct owner {
    uint32_t pid;   /* 22 bits: linux:include/linux/threads.h, PID_MAX_LIMIT */
    uint32_t start; /* clock ticks since the machine came up, proc(5) */
};

/* 0: there is no such process. */
static uint32_t start_of(uint32_t pid)
{
    char path[32], line[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
    /* The name, in parentheses, may have any characters; the start is the 20th field behind it. */
    const char *at = strrchr(line, ')');
    for (int field = 0; at && field < 20; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%llu", &start) == 1 ? (uint32_t)start : 0;
}

int mark_next(xen_domain_handle_t uuid)
{
    static struct owner own;
    static uint32_t count;
    if (own.pid == 0) {
        own.pid = (uint32_t)getpid();
        own.start = start_of(own.pid);
    }
    if (own.start == 0) {
        errno = ESRCH;
        return -1;
    }
    memcpy(uuid, CONSTANT, sizeof CONSTANT);
    uuid[4] = (uint8_t)(own.pid >> 8);
    uuid[5] = (uint8_t)own.pid;
    uuid[6] = (uint8_t)(0x80 | ((own.pid >> 16) & 0x0f));
    uuid[7] = (uint8_t)(own.pid >> 20);
    uuid[8] = (uint8_t)(0x80 | ((count >> 24) & 0x3f));
    for (int i = 0; i < 4; i++)
        uuid[9 + i] = (uint8_t)(own.start >> (24 - 8 * i));
    for (int i = 0; i < 3; i++)
        uuid[13 + i] = (uint8_t)(count >> (16 - 8 * i));
    count++;
    return 0;
}

bool mark_is_orphan(const xen_domain_handle_t uuid)
{
    struct owner owner = {0, 0};
    if (memcmp(uuid, CONSTANT, sizeof CONSTANT) != 0 || (uuid[6] & 0xf0) != 0x80 || (uuid[8] & 0xc0) != 0x80)
        return false;
    owner.pid = (uint32_t)uuid[4] << 8 | uuid[5] | (uint32_t)(uuid[6] & 0x0f) << 16 | (uint32_t)uuid[7] << 20;
    for (int i = 0; i < 4; i++)
        owner.start = owner.start << 8 | uuid[9 + i];
    return start_of(owner.pid) != owner.start;
}

void uuid_text(const xen_domain_handle_t uuid, char *text)
{
    for (int i = 0; i < 16; i++)
        text += sprintf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

bool uuid_parse(const char *text, xen_domain_handle_t uuid)
{
    unsigned int byte;
    for (int i = 0; i < 16; i++) {
        text += i == 4 || i == 6 || i == 8 || i == 10 ? *text == '-' : 0;
        if (sscanf(text, "%2x", &byte) != 1 || strlen(text) < 2)
            return false;
        uuid[i] = (uint8_t)byte;
        text += 2;
    }
    return *text == '\0';
}
