/* One line of a request, and its answer. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "builder.h"

/* `line` is changed. Answers on stdout, whatever it is. */
void serve_line(struct builder *builder, char *line);

#endif
