/*
 * xenconsoled and domains that end young. It takes up a domain's console some time after the domain is introduced, and writes a
 * node of its own then: where the domain's nodes have been removed meanwhile, that one is left behind for ever.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "builder.h"

/* Until xenconsoled has taken up the domain's console, if it has one and xenconsoled is there. */
void await_console(struct builder *builder, uint32_t domid);

#endif
