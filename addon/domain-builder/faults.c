/* Failures on demand. Compiled in for tests alone. */
#include "faults.h"

#ifdef CONDUIT_BUILDER_FAULTS
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int fault_at(const char *step)
{
    const char *wanted = getenv("CONDUIT_BUILDER_FAULTS");
    if (!wanted || strlen(wanted) < 5 || strcmp(wanted + 5, step) != 0)
        return 0;
    if (strncmp(wanted, "stop:", 5) == 0) {
        raise(SIGSTOP);
        return 0;
    }
    errno = ENOMEM;
    return strncmp(wanted, "fail:", 5) == 0 ? -1 : 0;
}
#endif
