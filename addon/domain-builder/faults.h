/*
 * Failures on demand, for tests: only a builder compiled with CONDUIT_BUILDER_FAULTS looks at the variable of that name, which says
 * fail:STEP (as if memory had run out) or stop:STEP (the process stops itself, to be killed there).
 */
#ifndef FAULTS_H
#define FAULTS_H

#ifdef CONDUIT_BUILDER_FAULTS
/* -1 with errno when that step is to fail. */
int fault_at(const char *step);
#else
static inline int fault_at(const char *step)
{
    (void)step;
    return 0;
}
#endif

#endif
