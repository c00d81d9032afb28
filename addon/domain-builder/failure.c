/* What a failed request says. */
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failure_clear(struct failure *failure)
{
    *failure = (struct failure){0};
}

int failure_set(struct failure *failure, const char *step, const char *code, int error, const char *format, ...)
{
    if (failure->code)
        return -1;
    failure->step = step;
    failure->code = code ? code : error == ENOMEM ? "NO_MEMORY" : "XEN";
    failure->error = error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return -1;
}

struct catching_logger {
    xentoollog_logger vtable;
    struct failure *failure;
};

static void catch_message(xentoollog_logger *logger, xentoollog_level level, int error, const char *context,
                          const char *format, va_list arguments)
{
    struct failure *failure = ((struct catching_logger *)logger)->failure;
    (void)error;
    (void)context;
    if (level < XTL_ERROR || failure->said[0] != '\0')
        return;
    vsnprintf(failure->said, sizeof failure->said, format, arguments);
}

static void ignore_progress(xentoollog_logger *logger, const char *context, const char *doing, int percent, unsigned long done,
                            unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void free_logger(xentoollog_logger *logger)
{
    free(logger);
}

xentoollog_logger *failure_logger(struct failure *failure)
{
    struct catching_logger *logger = malloc(sizeof *logger);
    if (!logger)
        return NULL;
    *logger = (struct catching_logger){
        .vtable = {.vmessage = catch_message, .progress = ignore_progress, .destroy = free_logger},
        .failure = failure,
    };
    return &logger->vtable;
}
