/* What goes out on stdout: one JSON object a line, written at once. */
#ifndef ANSWER_H
#define ANSWER_H

#include "build.h"

/* Each writes its line at once; what cannot be written is noticed at the next request: stdin ends as well. */
void answer_ready(const struct builder *builder, const char *running, int orphans);
void answer_unusable(const char *code, const char *message);
/* While a build goes on: the domain's number is known. */
void answer_created(uint64_t id, uint32_t domid, const xen_domain_handle_t uuid);
void answer_built(uint64_t id, const struct built *built, const struct build_request *request);
void answer_loaded(uint64_t id, const struct kernel *kernel);
void answer_done(uint64_t id, bool gone);
void answer_list(uint64_t id, const struct builder *builder, const xc_domaininfo_t *infos, size_t count);
/* `id` NULL: of a line that has none. */
void answer_failure(const uint64_t *id, const struct failure *failure);

#endif
