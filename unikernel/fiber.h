/*
 * Many waits at once on one processor: each fiber is a function with a stack of its own, and runs until it waits. What a
 * fiber waits for is a question that the loop asks again and again; nobody has to remember to wake it.
 */
#ifndef FIBER_H
#define FIBER_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS_MAX 80
/* What a function may have on its stack, all that it calls included. One that needs more crashes the guest. */
#define FIBER_STACK_PAGES 3

/* False: there is no memory for one more, or there are FIBERS_MAX. Runs when the caller waits. */
bool fiber_start(void (*body)(void *), void *argument);

/* Until `ready` says so, which must be quick and change nothing that it would miss; false: `deadline_ns` passed first (0: never). */
bool fiber_wait(bool (*ready)(void *), void *argument, uint64_t deadline_ns);
/* Lets the others run. */
void fiber_yield(void);

/* Runs each fiber that can go on, once; false: none could. For the loop. */
bool fiber_round(void);
/* The earliest deadline of those that wait; 0: none has one. */
uint64_t fiber_deadline(void);

#endif
