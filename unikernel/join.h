/* A client's end of a channel whose keys are known. */
#ifndef JOIN_H
#define JOIN_H

#include "connection.h"

/* NULL: there is no channel there, or no room for one here. */
struct connection *connection_join(domid_t server, uint32_t reference, uint32_t port);

#endif
