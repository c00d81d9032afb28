/* Members of requests. */
#include "members.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 200

int bad_request(struct builder *builder, const char *what)
{
    return failure_set(&builder->failure, "request", "BAD_REQUEST", EINVAL, "%s", what);
}

const char *string_in(const struct json *request, const char *name)
{
    const struct json *member = json_member(request, name);
    return member && member->type == JSON_STRING ? member->text : NULL;
}

bool only_members(const struct json *object, const char *const *names)
{
    for (const struct json *member = object->first; member; member = member->next) {
        const char *const *name = names;
        while (*name && strcmp(*name, member->name) != 0)
            name++;
        if (!*name)
            return false;
    }
    return true;
}

/* As xl's list shows it in one line, and short enough for its nodes. */
bool fit_name(const char *name)
{
    if (!name || *name == '\0' || strlen(name) > NAME_MAX_BYTES)
        return false;
    for (; *name; name++)
        if ((unsigned char)*name <= 0x20 || *name == 0x7f)
            return false;
    return true;
}

/* The words that a path of the store takes (xen:docs/misc/xenstore.txt), relative. */
bool fit_path(const char *path)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@.:";
    size_t length = path ? strlen(path) : 0;
    return length > 0 && length <= 200 && strspn(path, letters) == length && path[0] != '/' && path[length - 1] != '/' &&
           !strstr(path, "//");
}
