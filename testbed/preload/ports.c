/*
 * libxenevtchn over eventfds: a handle is an epoll descriptor over its ports', edge-triggered, so that an event costs no read
 * and poll() on the handle works. Masking is not needed then: an event between two waits is never lost.
 */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenevtchn.h>

struct port {
    struct port *next;
    struct xenevtchn_handle *handle; /* NULL once unbound: kept for a notification that comes with the end of pages */
    uint32_t number, peer;
    bool listening;
    int read_fd, write_fd;
    unsigned holders;
};

struct xenevtchn_handle {
    struct xenevtchn_handle *next;
    struct port *ports;
    int epoll;
};

static struct xenevtchn_handle *handles;
static uint32_t last_number;

static struct port *port_of(const struct xenevtchn_handle *handle, uint32_t number)
{
    struct port *port = handle->ports;
    while (port && port->number != number)
        port = port->next;
    return port;
}

struct port *port_find(uint32_t number)
{
    for (struct xenevtchn_handle *handle = handles; handle; handle = handle->next) {
        struct port *port = port_of(handle, number);
        if (port)
            return port;
    }
    return NULL;
}

void port_retain(struct port *port)
{
    port->holders++;
}

void port_release(struct port *port)
{
    if (--port->holders > 0)
        return;
    close(port->write_fd);
    free(port);
}

/* A full counter, EAGAIN, means that the other side has yet to look: delivered. */
static void add_one(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void port_kick(struct port *port)
{
    add_one(port->write_fd);
}

void ports_on_death(uint32_t domid)
{
    for (struct xenevtchn_handle *handle = handles; handle; handle = handle->next)
        for (struct port *port = handle->ports; port; port = port->next) {
            uint64_t count;
            if (port->peer != domid)
                continue;
            /* Read first: a counter that the dead had filled takes no more, and makes no edge. */
            if (read(port->read_fd, &count, sizeof count) < 0 && errno != EAGAIN)
                continue;
            add_one(port->read_fd);
        }
}

void ports_register_again(void)
{
    for (struct xenevtchn_handle *handle = handles; handle; handle = handle->next)
        for (struct port *port = handle->ports; port; port = port->next) {
            struct message message = {.type = CONDUIT_CONTROL_TYPE_LISTEN, .words = 2, .fds = 2};
            message.word[0] = port->number;
            message.word[1] = port->peer;
            message.fd[0] = port->read_fd;
            message.fd[1] = port->write_fd;
            /* One that cannot be registered cannot be bound anew; whoever has bound it is not concerned. */
            if (port->listening && control_exchange(&message) < 0)
                continue;
        }
}

EXPORT xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    struct xenevtchn_handle *handle = calloc(1, sizeof *handle);
    if (!handle)
        return NULL;
    handle->epoll = epoll_create1(flags & XENEVTCHN_NO_CLOEXEC ? 0 : EPOLL_CLOEXEC);
    if (handle->epoll < 0) {
        free(handle);
        return NULL;
    }
    local_lock();
    handle->next = handles;
    handles = handle;
    local_unlock();
    return handle;
}

EXPORT int xenevtchn_fd(xenevtchn_handle *handle)
{
    return handle->epoll;
}

EXPORT int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t number)
{
    struct port *port = port_of(handle, number);
    if (!port) {
        errno = ENOTCONN;
        return -1;
    }
    port_kick(port);
    return 0;
}

/* Takes over the descriptors, also when it fails. Lock held. */
static int add_port(struct xenevtchn_handle *handle, const struct port *like)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = like->number};
    struct port *port = malloc(sizeof *port);
    if (port && epoll_ctl(handle->epoll, EPOLL_CTL_ADD, like->read_fd, &event) == 0) {
        *port = *like;
        port->handle = handle;
        port->holders = 1;
        port->next = handle->ports;
        handle->ports = port;
        return (int)port->number;
    }
    int error = port ? errno : ENOMEM;
    free(port);
    close(like->read_fd);
    close(like->write_fd);
    control_post(CONDUIT_CONTROL_TYPE_CLOSE_PORT, like->number);
    errno = error;
    return -1;
}

static uint32_t take_number(void)
{
    do
        last_number = last_number % 0x7fffffff + 1;
    while (port_find(last_number));
    return last_number;
}

/* Lock held. */
static int listen_for(struct xenevtchn_handle *handle, uint32_t peer)
{
    struct port port = {.number = take_number(), .peer = peer, .listening = true};
    struct message message = {.type = CONDUIT_CONTROL_TYPE_LISTEN, .words = 2, .fds = 2};
    port.read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    port.write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    message.word[0] = port.number;
    message.word[1] = port.peer;
    message.fd[0] = port.read_fd;
    message.fd[1] = port.write_fd;
    if (port.read_fd >= 0 && port.write_fd >= 0 && control_request(&message) == 0)
        return add_port(handle, &port);
    int error = errno;
    if (port.read_fd >= 0)
        close(port.read_fd);
    if (port.write_fd >= 0)
        close(port.write_fd);
    errno = error;
    return -1;
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *handle, uint32_t domid)
{
    local_lock();
    int number = listen_for(handle, domid);
    local_unlock();
    return number;
}

/* Lock held. */
static int bind_to(struct xenevtchn_handle *handle, uint32_t peer, uint32_t remote)
{
    struct port port = {.number = take_number(), .peer = peer};
    struct message message = {.type = CONDUIT_CONTROL_TYPE_BIND, .words = 3};
    message.word[0] = peer;
    message.word[1] = remote;
    message.word[2] = port.number;
    if (control_request(&message) < 0)
        return -1;
    /* Whoever died while we waited would never be noticed. */
    if (message.fds != 2 || (peer != control_domid() && peer_find(peer) == 0)) {
        message_close_fds(&message);
        control_post(CONDUIT_CONTROL_TYPE_CLOSE_PORT, port.number);
        errno = EINVAL;
        return -1;
    }
    port.read_fd = message.fd[0];
    port.write_fd = message.fd[1];
    return add_port(handle, &port);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
                                                            evtchn_port_t remote)
{
    local_lock();
    int number = bind_to(handle, domid, remote);
    local_unlock();
    return number;
}

/* Lock held. Not closing alone: the other end's copy of the descriptor would keep it in the epoll set. */
static void unbind(struct xenevtchn_handle *handle, struct port **at)
{
    struct port *port = *at;
    *at = port->next;
    epoll_ctl(handle->epoll, EPOLL_CTL_DEL, port->read_fd, NULL);
    close(port->read_fd);
    control_post(CONDUIT_CONTROL_TYPE_CLOSE_PORT, port->number);
    port->handle = NULL;
    port_release(port);
}

EXPORT int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t number)
{
    local_lock();
    for (struct port **at = &handle->ports; *at; at = &(*at)->next)
        if ((*at)->number == number) {
            unbind(handle, at);
            local_unlock();
            return 0;
        }
    local_unlock();
    errno = EINVAL;
    return -1;
}

EXPORT int xenevtchn_close(xenevtchn_handle *handle)
{
    if (!handle)
        return 0;
    local_lock();
    while (handle->ports)
        unbind(handle, &handle->ports);
    struct xenevtchn_handle **at = &handles;
    while (*at != handle)
        at = &(*at)->next;
    *at = handle->next;
    local_unlock();
    close(handle->epoll);
    free(handle);
    return 0;
}

/* Blocks unless the descriptor is non-blocking. Goes on after a signal, as read() on /dev/xen/evtchn does with SA_RESTART and
 * after a stop: epoll_wait never does by itself. */
EXPORT xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    const int timeout = fcntl(handle->epoll, F_GETFL) & O_NONBLOCK ? 0 : -1;
    struct epoll_event event;
    for (;;) {
        int count = epoll_wait(handle->epoll, &event, 1, timeout);
        if (count > 0)
            return (int)event.data.u32;
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = EAGAIN;
        return -1;
    }
}

EXPORT int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t number)
{
    if (port_of(handle, number))
        return 0;
    errno = EINVAL;
    return -1;
}
