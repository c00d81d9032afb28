/*
 * Why a request failed: the step, a code of a closed list, the errno, and words for people, for which libxenctrl's own messages are
 * caught on their way to stderr.
 */
#ifndef FAILURE_H
#define FAILURE_H

#include <xentoollog.h>

struct failure {
    const char *step;
    const char *code; /* BAD_REQUEST NAME_TAKEN NOT_A_KERNEL NO_MEMORY GONE STORE XEN */
    int error;        /* an errno */
    char said[400];   /* by libxenctrl, first in this request */
    char message[500];
};

/* Forget the last one. */
void failure_clear(struct failure *failure);
/* Returns -1, for the caller to return; the first failure of a request counts. `code` NULL: by the errno. */
__attribute__((format(printf, 5, 6))) int failure_set(struct failure *failure, const char *step, const char *code, int error,
                                                      const char *format, ...);
/* A logger that keeps the first error in `failure` and prints nothing. NULL without memory. */
xentoollog_logger *failure_logger(struct failure *failure);

#endif
