/* The connections there are: for connection.c, which uses them, and connection_table.c, which makes and unmakes them. */
#ifndef CONNECTION_TABLE_H
#define CONNECTION_TABLE_H

#include "connection.h"

extern struct connection connections[CONNECTIONS_MAX];

#endif
