/* Hands each connection on to another one: `to=` on the command line says where. Each direction ends by itself. */
#include "../app.h"

/* One direction: what comes from one side goes to the other. */
struct flow {
    struct connection *from, *to;
    bool over;
};

static void run(void *argument)
{
    struct flow *flow = argument;
    char bytes[4096];
    long count;
    while ((count = receive(flow->from, bytes, sizeof bytes)) > 0 && send(flow->to, bytes, (size_t)count)) {
    }
    /* What ended on one side ends on the other; what broke off breaks off there. */
    if (count == 0) {
        end_sending(flow->to);
    } else {
        break_off(flow->to);
        break_off(flow->from);
    }
    flow->over = true;
}

static bool is_over(void *argument)
{
    return ((struct flow *)argument)->over;
}

void app(struct connection *connection)
{
    struct connection *other = connect_to(setting("to"));
    if (other == NULL) {
        break_off(connection);
        return;
    }
    struct flow back = {.from = other, .to = connection};
    if (fiber_start(run, &back)) {
        run(&(struct flow){.from = connection, .to = other});
        fiber_wait(is_over, &back, 0);
    }
    close_connection(other);
}
