/*
 * A machine without Xen, as far as a xenstore daemon looks: a directory whose path is in CONDUIT_MACHINE. In it are
 *   domain/<domid>   the page of that domain's xenstore ring, while the domain lives
 *   evtchn           a unix socket that is /dev/xen/evtchn: u32 port numbers, both ways, in the order of their events
 * and what redirect_paths.c puts there. machine.ts keeps it.
 */
#pragma once

#include <stdint.h>

/* Ports that mean something; machine.ts has the same, and gives guests those above. */
enum {
  PORT_LISTENING = 0, /* raised by the daemon once its socket takes connections */
  PORT_DOM_EXC = 1,   /* VIRQ_DOM_EXC: a domain has died */
};

const char *machine_directory(void);
void machine_raise(uint32_t port);
