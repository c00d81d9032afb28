/* What requests have in common: their members, and what may be in them. */
#ifndef MEMBERS_H
#define MEMBERS_H

#include "build.h"
#include "json.h"

/* Returns -1, with the failure. */
int bad_request(struct builder *builder, const char *what);
/* NULL when there is no such member, or it is no string. */
const char *string_in(const struct json *request, const char *name);
/* A member that is not known is refused: it may be what somebody relies on. `names` ends with NULL. */
bool only_members(const struct json *object, const char *const *names);
bool fit_name(const char *name);
bool fit_path(const char *path);

/* build_request.c: -1 with the failure. */
int parse_build(struct builder *builder, const struct json *given, struct build_request *request);

#endif
