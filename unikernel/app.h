/*
 * What an application is, and what it may use. An application is one function, app(): it is called for each connection, on a
 * stack of its own (FIBER_STACK_PAGES), and the connection ends when it returns. While it waits, the others run.
 */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console.h"
#include "fiber.h"
#include "text.h"

struct connection;

/* The application. */
void app(struct connection *connection);

/* Waits for bytes: how many there are, 0 when the peer has ended (or the guest is to stop), less when it broke off. */
long receive(struct connection *connection, void *buffer, size_t room);
/* Waits until all of it is on its way; false: the peer has gone. */
bool send(struct connection *connection, const void *bytes, size_t length);
/* No more will be sent; what the peer sends still arrives. A peer that has no half-close (libxenvchan) has read everything when
 * this returns, and both directions have ended. */
void end_sending(struct connection *connection);
/* Breaks off: the peer is told that the connection broke, where it can be told. Return from app() soon after. */
void break_off(struct connection *connection);

/* A connection to `name`, `name:port` or `vchan://DOMID/PORT`, for this fiber to close; NULL: nobody lets us in, or it is no
 * address. */
struct connection *connect_to(const char *address);
/* Ends a connection that connect_to made, as a return from app() ends the others. */
void close_connection(struct connection *connection);

/* The port that the client of a name has asked for; empty where it named none. */
const char *connection_port(const struct connection *connection);

/* The value of `key=value` on the guest's command line; NULL: it is not there. */
const char *setting(const char *key);

#endif
