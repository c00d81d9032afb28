/*
 * Whose a domain is, readable from its UUID, which Xen takes with its creation: there is no moment at which a half-built domain
 * is without it. The UUID is one of version 8 (RFC 9562 5.8): a constant, pid and start time of the builder, a count.
 */
#ifndef MARK_H
#define MARK_H

#include <stdbool.h>

#include <xenctrl.h>

/* As text, with its NUL. */
#define UUID_TEXT 37

/* The UUID of this process's next domain. -1 with errno where /proc does not tell its start time. */
int mark_next(xen_domain_handle_t uuid);
/* Whether a builder made it, and that builder's process has gone. */
bool mark_is_orphan(const xen_domain_handle_t uuid);

void uuid_text(const xen_domain_handle_t uuid, char *text);
bool uuid_parse(const char *text, xen_domain_handle_t uuid);

#endif
