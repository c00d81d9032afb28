/* Fibers: arch_switch between the loop's stack and theirs, in turn. */
#include "fiber.h"

#include "arch.h"
#include "console.h"
#include "page.h"

/* At the far end of a stack. One that has been overwritten has run over, and what lies behind it is no more to be trusted. */
#define STACK_MARK 0x636f6e6475697421ull

struct fiber {
    uint64_t *stack; /* NULL: a free slot */
    void *registers;
    void (*body)(void *);
    void *body_argument;
    bool (*ready)(void *); /* NULL: it can go on */
    void *ready_argument;
    uint64_t deadline_ns;
    bool in_time, ended;
};

static struct fiber fibers[FIBERS_MAX];
static struct fiber *running;
static void *loop_registers;

static void fiber_entry(void)
{
    running->body(running->body_argument);
    running->ended = true;
    arch_switch(&running->registers, loop_registers);
    __builtin_unreachable();
}

bool fiber_start(void (*body)(void *), void *argument)
{
    for (struct fiber *fiber = fibers; fiber < fibers + FIBERS_MAX; fiber++) {
        if (fiber->stack != NULL)
            continue;
        uint64_t *stack = page_take(FIBER_STACK_PAGES);
        if (stack == NULL)
            return false;
        *stack = STACK_MARK;
        *fiber = (struct fiber){.stack = stack, .body = body, .body_argument = argument};
        fiber->registers = arch_new_stack((uint8_t *)stack + FIBER_STACK_PAGES * PAGE_BYTES, fiber_entry);
        return true;
    }
    return false;
}

bool fiber_wait(bool (*ready)(void *), void *argument, uint64_t deadline_ns)
{
    struct fiber *self = running;
    self->ready = ready;
    self->ready_argument = argument;
    self->deadline_ns = deadline_ns;
    arch_switch(&self->registers, loop_registers);
    return self->in_time;
}

void fiber_yield(void)
{
    fiber_wait(NULL, NULL, 0);
}

static bool can_go_on(struct fiber *fiber, uint64_t *now)
{
    fiber->in_time = true;
    if (fiber->ready == NULL || fiber->ready(fiber->ready_argument))
        return true;
    if (fiber->deadline_ns == 0)
        return false;
    if (*now == 0)
        *now = arch_time_ns();
    fiber->in_time = false;
    return *now >= fiber->deadline_ns;
}

static void resume(struct fiber *fiber)
{
    running = fiber;
    arch_switch(&loop_registers, fiber->registers);
    if (*fiber->stack != STACK_MARK)
        guest_crash("stack");
    if (!fiber->ended)
        return;
    page_give(fiber->stack, FIBER_STACK_PAGES);
    fiber->stack = NULL;
}

bool fiber_round(void)
{
    uint64_t now = 0;
    bool any = false;
    for (struct fiber *fiber = fibers; fiber < fibers + FIBERS_MAX; fiber++)
        if (fiber->stack != NULL && can_go_on(fiber, &now)) {
            resume(fiber);
            any = true;
        }
    return any;
}

uint64_t fiber_deadline(void)
{
    uint64_t earliest = 0;
    for (const struct fiber *fiber = fibers; fiber < fibers + FIBERS_MAX; fiber++)
        if (fiber->stack != NULL && fiber->ready != NULL && fiber->deadline_ns != 0 &&
            (earliest == 0 || fiber->deadline_ns < earliest))
            earliest = fiber->deadline_ns;
    return earliest;
}
