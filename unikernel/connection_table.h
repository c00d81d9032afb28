/* The connections there are: for connection.c, which uses them, and connection_table.c, which makes and unmakes them. */
#ifndef CONNECTION_TABLE_H
#define CONNECTION_TABLE_H

#include "connection.h"

extern struct connection connections[CONNECTIONS_MAX];

/* A free one for that peer; NULL: there is none, or it has as many as it may have. */
struct connection *connection_slot(domid_t peer);

#endif
