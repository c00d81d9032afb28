/* The guest's mailbox to the registrar in domain 0 (protocol/conduit-paths.ts): it asks to hold a name, or to be let in to one. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

enum mailbox_request { MAILBOX_REGISTER, MAILBOX_WANT };

/* This domain's own number: from the command line, else asked for once. Waits. */
uint32_t own_domid(void);

/* Asks, and waits for the answer: true for `ok`. `deadline_ns` as in fiber_wait. What was asked stays asked for. */
bool mailbox_ask(enum mailbox_request request, const char *name, uint64_t deadline_ns);
/* Takes the request back, and with it what was granted. */
void mailbox_withdraw(enum mailbox_request request, const char *name);

#endif
