/* Event channels by polling: xen/include/public/{event_channel,sched}.h. */
#include "event.h"

#include "arch.h"

#define PORTS_A_WORD (8 * sizeof(unsigned long))

static unsigned long *pending;
static uint32_t watched[EVENT_PORTS_POLLED];
static uint32_t watched_count;

void event_init(unsigned long *pending_words)
{
    pending = pending_words;
}

static bool channel_op(unsigned operation, void *argument)
{
    return arch_hypercall(HYPERCALL_EVENT_CHANNEL_OP, operation, (uintptr_t)argument, 0) == 0;
}

uint32_t event_offer(domid_t peer)
{
    struct evtchn_alloc_unbound offer = {.domid = DOMID_SELF, .remote_domid = peer};
    return channel_op(EVTCHNOP_ALLOC_UNBOUND, &offer) ? offer.port : 0;
}

uint32_t event_bind(domid_t peer, uint32_t port)
{
    struct evtchn_bind_interdomain bind = {.remote_domid = peer, .remote_port = port};
    return channel_op(EVTCHNOP_BIND_INTERDOMAIN, &bind) ? bind.local_port : 0;
}

void event_close(uint32_t port)
{
    struct evtchn_port close = {port};
    channel_op(EVTCHNOP_CLOSE, &close);
}

void event_send(uint32_t port)
{
    struct evtchn_port send = {port};
    channel_op(EVTCHNOP_SEND, &send);
}

void event_watch(uint32_t port)
{
    watched[watched_count++] = port;
}

void event_unwatch(uint32_t port)
{
    for (uint32_t i = 0; i < watched_count; i++)
        if (watched[i] == port) {
            watched[i] = watched[--watched_count];
            return;
        }
}

void event_clear(void)
{
    for (uint32_t i = 0; i < watched_count; i++) {
        unsigned long *word = &pending[watched[i] / PORTS_A_WORD];
        const unsigned long bit = 1ul << watched[i] % PORTS_A_WORD;
        if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit)
            __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void event_sleep(uint64_t deadline_ns)
{
    struct sched_poll poll = {.ports = watched, .count = watched_count, .timeout_ns = deadline_ns};
    arch_hypercall(HYPERCALL_SCHED_OP, SCHEDOP_POLL, (uintptr_t)&poll, 0);
}
