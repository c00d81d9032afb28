/* Lines for whoever reads the domain's console, and the guest's end. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

/* `page` may be NULL: nothing is written then. */
void console_init(volatile uint8_t *page, uint32_t port);

/* One line, at most 160 characters. Never waits: what finds no room is lost. */
void console_line(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* SCHEDOP_shutdown with one of SHUTDOWN_* of xen.h. */
__attribute__((noreturn)) void guest_end(uint32_t reason);

/*
 * Ends the guest as crashed, and says what was not as it has to be: a key of the command line that is wrong or asks for what
 * cannot be had, `memory` (too little), `stack` (of a fiber, too small), `channel` (none to be offered), `domid` (unknown to the store).
 */
__attribute__((noreturn)) void guest_crash(const char *why);

#endif
