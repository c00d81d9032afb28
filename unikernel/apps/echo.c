/* Sends back what comes, until the other side has no more to send. */
#include "../app.h"

void app(struct connection *connection)
{
    char bytes[4096];
    for (long count; (count = receive(connection, bytes, sizeof bytes)) > 0;)
        if (!send(connection, bytes, (size_t)count))
            return;
}
