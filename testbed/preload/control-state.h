/*
 * What control.c and attachment.c share: the connection and who waits for it. The other parts have local.h.
 */
#ifndef CONDUIT_CONTROL_STATE_H
#define CONDUIT_CONTROL_STATE_H

#include <pthread.h>

#include "local.h"

enum { WATCH_CONTROL = 1, WATCH_KICK = 2 };

/* A request that waits; its message becomes the answer. */
struct pending {
    struct pending *next;
    struct message *message;
    uint32_t sequence;
    enum { WAITING, ANSWERED, LOST } state;
};

extern struct control {
    bool started, attached, wanted;
    unsigned tries; /* to attach, that have ended */
    int failure;    /* why the last one did */
    int socket, epoll, kick;
    uint32_t domid, sequence;
    uint64_t generation; /* counts the hypervisors lost */
    int64_t deadline; /* of the try under way */
    struct pending *pending;
    pthread_t helper;
    pthread_cond_t changed; /* anything that somebody waits for */
    pthread_mutex_t lock;
} control;

/* control.c, lock held: handle everything that has arrived; drop the connection. */
void control_drain(void);
void control_lose(void);
int64_t now_ms(void);

#endif
