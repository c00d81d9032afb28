/*
 * This process's place at the local hypervisor: attached when something is first asked of it, and again, with the same domid,
 * when the hypervisor was lost. All of it happens in the helper thread, which also reads the connection.
 */
#include "control-state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long to try to reach or start a hypervisor, and a moment between two tries (src/substrate/local/attachment.ts). */
#define ATTACH_TIMEOUT_MS 10000
#define RETRY_MIN_MS 3
#define RETRY_SPREAD_MS 12

/* ATTACH on a fresh connection: 0, or errno; EAGAIN: try again. */
static int introduce(int socket)
{
    struct message message = {.type = CONDUIT_CONTROL_TYPE_ATTACH, .words = 2};
    message.word[0] = CONDUIT_CONTROL_VERSION;
    message.word[1] = control.domid;
    control.socket = socket;
    if (control_watch(socket, WATCH_CONTROL) < 0 || control_exchange(&message) < 0) {
        control_lose();
        return EAGAIN;
    }
    message_close_fds(&message);
    if (message.status == CONDUIT_CONTROL_STATUS_OK && message.words == 1) {
        control.domid = message.word[0];
        shares_register_again();
        ports_register_again();
        return control.socket < 0 ? EAGAIN : 0;
    }
    control_lose();
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
    pthread_cond_broadcast(&control.changed);
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
            control_drain();
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
        pthread_cond_wait(&control.changed, &control.lock);
    if (control.attached)
        return 0;
    fprintf(stderr,
            "conduit: no local hypervisor in '%s': %s. Start a program that uses Conduit there first, or set "
            "CONDUIT_HYPERVISOR to the command that starts one (docs/libxenvchan.md)\n",
            runtime_directory(), strerror(control.failure));
    errno = control.failure;
    return -1;
}
