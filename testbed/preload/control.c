/*
 * This process's place at the local hypervisor: attached when something is first asked of it, and again, with the same domid,
 * when the hypervisor was lost. A helper thread reads the connection; who asks waits for its answer. Knows no pages, no ports.
 */
#include "local.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long to try to reach or start a hypervisor, and a moment between two tries (src/substrate/local/attachment.ts). */
#define ATTACH_TIMEOUT_MS 10000
#define RETRY_MIN_MS 3
#define RETRY_SPREAD_MS 12

enum { WATCH_CONTROL = 1, WATCH_KICK = 2 };

/* A request that waits; its message becomes the answer. */
struct pending {
    struct pending *next;
    struct message *message;
    uint32_t sequence;
    enum { WAITING, ANSWERED, LOST } state;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct {
    bool started, attached, wanted;
    unsigned tries; /* to attach, that have ended */
    int failure;    /* why the last one did */
    int socket, epoll, kick;
    uint32_t domid, sequence;
    uint64_t generation; /* counts the hypervisors lost */
    int64_t deadline; /* of the try under way */
    struct pending *pending;
    pthread_t helper;
} control = {.socket = -1, .domid = CONDUIT_CONTROL_NONE};

void local_lock(void)
{
    pthread_mutex_lock(&lock);
}

void local_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

uint32_t control_domid(void)
{
    return control.domid;
}

static int64_t now_ms(void)
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
static void lose(void)
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
    pthread_cond_broadcast(&changed);
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
        pthread_cond_broadcast(&changed);
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
static void drain(void)
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
        lose();
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
        lose();
        errno = ENOTCONN;
        return -1;
    }
    while (pending.state == WAITING) {
        const int64_t left = control.deadline - now_ms();
        struct pollfd readable = {.fd = control.socket, .events = POLLIN};
        if (left <= 0 || poll(&readable, 1, (int)left) == 0)
            lose();
        else
            drain();
    }
    errno = pending.state == LOST ? ETIMEDOUT : 0;
    return pending.state == LOST ? -1 : 0;
}

/* ATTACH on a fresh connection: 0, or errno; EAGAIN: try again. */
static int introduce(int socket)
{
    struct message message = {.type = CONDUIT_CONTROL_TYPE_ATTACH, .words = 2};
    message.word[0] = CONDUIT_CONTROL_VERSION;
    message.word[1] = control.domid;
    control.socket = socket;
    if (control_watch(socket, WATCH_CONTROL) < 0 || control_exchange(&message) < 0) {
        lose();
        return EAGAIN;
    }
    message_close_fds(&message);
    if (message.status == CONDUIT_CONTROL_STATUS_OK && message.words == 1) {
        control.domid = message.word[0];
        shares_register_again();
        ports_register_again();
        return control.socket < 0 ? EAGAIN : 0;
    }
    lose();
    if (message.status != CONDUIT_CONTROL_STATUS_DOMID_TAKEN)
        return EPROTO;
    control.domid = CONDUIT_CONTROL_NONE;
    return EAGAIN;
}

/* One try: 0, or errno; EAGAIN: another may succeed. */
static int try_to_attach(void)
{
    int socket = hypervisor_connect();
    if (socket >= 0)
        return introduce(socket);
    if (errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN)
        return errno;
    if (hypervisor_can_be_started())
        hypervisor_start();
    else if (control.domid == CONDUIT_CONTROL_NONE)
        return ECONNREFUSED;
    /* Others that lost the same one start the next. */
    return EAGAIN;
}

static void attach(void)
{
    int failure;
    control.deadline = now_ms() + ATTACH_TIMEOUT_MS;
    while ((failure = try_to_attach()) == EAGAIN && now_ms() < control.deadline) {
        local_unlock();
        usleep((RETRY_MIN_MS + (useconds_t)(now_ms() * 7919 + getpid()) % RETRY_SPREAD_MS) * 1000);
        local_lock();
    }
    control.attached = failure == 0;
    control.wanted = false;
    control.failure = failure == EAGAIN ? ETIMEDOUT : failure;
    control.tries++;
    pthread_cond_broadcast(&changed);
}

static void *helper(void *unused)
{
    struct epoll_event event;
    (void)unused;
    for (;;) {
        int count = epoll_wait(control.epoll, &event, 1, -1);
        local_lock();
        if (count > 0 && event.data.u64 == WATCH_KICK) {
            uint64_t kicks;
            (void)!read(control.kick, &kicks, sizeof kicks);
        } else if (count > 0) {
            /* Order matters: what the hypervisor said before a death may still wait in its connection. */
            drain();
            if (event.data.u64 != WATCH_CONTROL)
                peer_hung_up(event.data.u64);
        }
        if (control.wanted && !control.attached)
            attach();
        local_unlock();
    }
    return NULL;
}

/* The program's signals are for its own threads. */
static int start_helper(void)
{
    sigset_t all, before;
    if (control.started)
        return 0;
    control.epoll = epoll_create1(EPOLL_CLOEXEC);
    control.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control.epoll < 0 || control.kick < 0 || control_watch(control.kick, WATCH_KICK) < 0)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    errno = pthread_create(&control.helper, NULL, helper, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    control.started = errno == 0;
    return control.started ? 0 : -1;
}

int control_ensure(void)
{
    const unsigned tries = control.tries;
    const uint64_t one = 1;
    if (start_helper() < 0)
        return -1;
    if (!control.attached) {
        control.wanted = true;
        (void)!write(control.kick, &one, sizeof one);
    }
    while (!control.attached && control.tries == tries)
        pthread_cond_wait(&changed, &lock);
    if (control.attached)
        return 0;
    fprintf(stderr,
            "conduit: no local hypervisor in '%s': %s. Start a program that uses Conduit there first, or set "
            "CONDUIT_HYPERVISOR to the command that starts one (docs/libxenvchan.md)\n",
            runtime_directory(), strerror(control.failure));
    errno = control.failure;
    return -1;
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
        pthread_cond_wait(&changed, &lock);
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
