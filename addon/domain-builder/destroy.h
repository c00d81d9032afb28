/* The end of domains, wherever their building stands. */
#ifndef DESTROY_H
#define DESTROY_H

#include "builder.h"

/* Gone, or at least without a way back, and its nodes removed; -1 with errno. */
int destroy_domain(struct builder *builder, uint32_t domid);
/* What this process has built and not handed over. */
void destroy_unused(struct builder *builder);
/* What builders left that were killed in the middle of a build or of an end; how many, -1 with errno. Others' domains never. */
int destroy_orphans(struct builder *builder);

#endif
