/*
 * The connection to the local hypervisor: messages to those who wait for them, pushes to whom they concern, requests and their
 * refusals. How the process comes to have one is attachment.c's. Knows no pages, no ports.
 */
#include "control-state.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct control control = {.socket = -1,
                          .domid = CONDUIT_CONTROL_NONE,
                          .changed = PTHREAD_COND_INITIALIZER,
                          .lock = PTHREAD_MUTEX_INITIALIZER};

void local_lock(void)
{
    pthread_mutex_lock(&control.lock);
}

void local_unlock(void)
{
    pthread_mutex_unlock(&control.lock);
}

uint32_t control_domid(void)
{
    return control.domid;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int control_watch(int fd, uint64_t id)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = id};
    return epoll_ctl(control.epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Whoever waits fails; the next request, or the helper itself, attaches again. */
void control_lose(void)
{
    if (control.socket < 0)
        return;
    close(control.socket);
    control.socket = -1;
    control.attached = false;
    control.wanted = true;
    control.generation++;
    for (struct pending *each = control.pending; each; each = each->next)
        each->state = LOST;
    control.pending = NULL;
    pthread_cond_broadcast(&control.changed);
}

static void answered(struct message *message)
{
    for (struct pending **at = &control.pending; *at; at = &(*at)->next) {
        struct pending *pending = *at;
        if (pending->sequence != message->sequence)
            continue;
        *at = pending->next;
        *pending->message = *message;
        pending->state = ANSWERED;
        pthread_cond_broadcast(&control.changed);
        return;
    }
    message_close_fds(message);
}

static void pushed(struct message *message)
{
    const uint32_t *word = message->word;
    if (message->type == CONDUIT_CONTROL_TYPE_PEER && message->words == 1) {
        if (message->fds == 1)
            peer_met(word[0], message->fd[0]);
        else {
            message_close_fds(message);
            peer_missed(word[0]);
        }
        return;
    }
    message_close_fds(message);
    if (message->type == CONDUIT_CONTROL_TYPE_MAPPED && message->words == 4)
        share_mapped(word[0], word[1], word[2], word[3]);
    if (message->type == CONDUIT_CONTROL_TYPE_UNMAPPED && message->words == 3)
        share_unmapped(word[0], word[1]);
}

/* Everything that has arrived. */
void control_drain(void)
{
    static struct message message;
    int received = 0;
    while (control.socket >= 0 && (received = message_receive(control.socket, &message)) > 0) {
        if (message.sequence == 0)
            pushed(&message);
        else
            answered(&message);
    }
    if (received < 0)
        control_lose();
}

/* Queue and send; false when there is nobody to send to. The helper must not wait: it alone makes room by reading. */
static bool send_pending(struct pending *pending)
{
    const uint64_t generation = control.generation;
    const bool may_wait = !pthread_equal(pthread_self(), control.helper);
    control.sequence = control.sequence % 0xfffffffe + 1;
    pending->sequence = pending->message->sequence = control.sequence;
    pending->state = WAITING;
    while (message_send(control.socket, pending->message) < 0) {
        if ((errno != EAGAIN && errno != EINTR) || !may_wait)
            return false;
        struct pollfd writable = {.fd = control.socket, .events = POLLOUT};
        local_unlock();
        poll(&writable, 1, -1);
        local_lock();
        if (generation != control.generation)
            return false;
    }
    pending->next = control.pending;
    control.pending = pending;
    return true;
}

void control_post(uint16_t type, uint32_t word)
{
    struct message message = {.type = type, .words = 1, .word = {word}};
    struct pending nobody = {.message = &message};
    if (control.attached && send_pending(&nobody))
        control.pending = nobody.next;
}

/* In the helper, with the lock held all the while: what is registered again must not change. */
int control_exchange(struct message *message)
{
    struct pending pending = {.message = message};
    if (control.socket < 0 || !send_pending(&pending)) {
        control_lose();
        errno = ENOTCONN;
        return -1;
    }
    while (pending.state == WAITING) {
        const int64_t left = control.deadline - now_ms();
        struct pollfd readable = {.fd = control.socket, .events = POLLIN};
        if (left <= 0 || poll(&readable, 1, (int)left) == 0)
            control_lose();
        else
            control_drain();
    }
    errno = pending.state == LOST ? ETIMEDOUT : 0;
    return pending.state == LOST ? -1 : 0;
}

static int refusal(const struct message *answer)
{
    static const int codes[] = {
        [CONDUIT_CONTROL_STATUS_BAD_GRANT] = EINVAL,
        [CONDUIT_CONTROL_STATUS_BAD_PORT] = EINVAL,
        [CONDUIT_CONTROL_STATUS_LIMIT] = ENOSPC,
        [CONDUIT_CONTROL_STATUS_NO_DESCRIPTORS] = ENFILE,
    };
    const int code = answer->status < sizeof codes / sizeof codes[0] ? codes[answer->status] : 0;
    return code != 0 ? code : EPROTO;
}

int control_request(struct message *message)
{
    struct pending pending = {.message = message};
    if (control_ensure() < 0)
        return -1;
    /* The answer takes the place of the request. */
    const uint16_t type = message->type;
    const uint32_t port = message->word[2], map_id = message->word[3];
    const uint64_t generation = control.generation;
    if (!send_pending(&pending)) {
        errno = ENOTCONN;
        return -1;
    }
    while (pending.state == WAITING)
        pthread_cond_wait(&control.changed, &control.lock);
    /* Also when it was lost since it answered: the next one knows nothing of what this one was told. */
    if (pending.state == LOST || generation != control.generation) {
        if (pending.state == ANSWERED)
            message_close_fds(message);
        errno = ENOTCONN;
        return -1;
    }
    if (message->fds_lost) {
        /* Carried out for nobody. */
        if (type == CONDUIT_CONTROL_TYPE_MAP)
            control_post(CONDUIT_CONTROL_TYPE_UNMAP, map_id);
        if (type == CONDUIT_CONTROL_TYPE_BIND)
            control_post(CONDUIT_CONTROL_TYPE_CLOSE_PORT, port);
        errno = EMFILE;
        return -1;
    }
    if (message->status == CONDUIT_CONTROL_STATUS_OK)
        return 0;
    message_close_fds(message);
    errno = refusal(message);
    return -1;
}
