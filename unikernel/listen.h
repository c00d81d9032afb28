/* A name's server side: held by the registrar's leave, asked for under its `listen`, served by app(). */
#ifndef LISTEN_H
#define LISTEN_H

/* `name` or `name:port`. Waits until the name is ours, and crashes the guest when it cannot be. */
void listen_start(const char *address);
/* Gives the name back. */
void listen_stop(void);

#endif
