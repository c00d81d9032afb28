/* Lines of JSON. */
#include "answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "mark.h"

#ifndef CONDUIT_XEN_VERSION
#error "CONDUIT_XEN_VERSION is the version in libxenguest's file name"
#endif

struct line {
    FILE *out;
    char *text;
    size_t length;
};

static bool line_begin(struct line *line)
{
    line->text = NULL;
    line->out = open_memstream(&line->text, &line->length);
    return line->out != NULL;
}

static void line_end(struct line *line)
{
    fputs("}\n", line->out);
    if (fclose(line->out) == 0)
        for (size_t done = 0; done < line->length;) {
            ssize_t written = write(STDOUT_FILENO, line->text + done, line->length - done);
            if (written <= 0)
                break;
            done += (size_t)written;
        }
    free(line->text);
}

static void print_domain(FILE *out, uint32_t domid, const xen_domain_handle_t uuid)
{
    char text[UUID_TEXT];
    uuid_text(uuid, text);
    fprintf(out, "\"domid\":%" PRIu32 ",\"uuid\":\"%s\"", domid, text);
}

void answer_ready(const struct builder *builder, const char *running, int orphans)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"event\":\"ready\",\"builtFor\":\"%s\",\"xen\":", CONDUIT_XEN_VERSION);
    json_print(line.out, running);
    fprintf(line.out, ",\"hap\":%s,\"orphans\":%d", builder->hap ? "true" : "false", orphans);
    line_end(&line);
}

void answer_unusable(const char *code, const char *message)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"event\":\"unusable\",\"builtFor\":\"%s\",\"code\":\"%s\",\"message\":", CONDUIT_XEN_VERSION, code);
    json_print(line.out, message);
    line_end(&line);
}

void answer_created(uint64_t id, uint32_t domid, const xen_domain_handle_t uuid)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"event\":\"created\",\"id\":%" PRIu64 ",", id);
    print_domain(line.out, domid, uuid);
    line_end(&line);
}

void answer_built(uint64_t id, const struct built *built, const struct build_request *request)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"id\":%" PRIu64 ",\"ok\":{", id);
    print_domain(line.out, built->domid, built->uuid);
    if (request->provisioned)
        fprintf(line.out, ",\"evtchn\":%" PRIu32, built->port);
    if (request->trace) {
        fputs(",\"steps\":{", line.out);
        for (unsigned int i = 0; i < built->steps; i++)
            fprintf(line.out, "%s\"%s\":%" PRIu32, i == 0 ? "" : ",", built->times[i].name, built->times[i].micros);
        fputc('}', line.out);
    }
    fputc('}', line.out);
    line_end(&line);
}

void answer_loaded(uint64_t id, const struct kernel *kernel)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"id\":%" PRIu64 ",\"ok\":{\"kernel\":", id);
    json_print(line.out, kernel->path);
    fprintf(line.out, ",\"bytes\":%zu}", kernel->size);
    line_end(&line);
}

void answer_done(uint64_t id, bool gone)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"id\":%" PRIu64 ",\"ok\":{\"gone\":%s}", id, gone ? "true" : "false");
    line_end(&line);
}

/* SHUTDOWN_* of xen/include/public/sched.h, in their order. */
static const char *end_of(const xc_domaininfo_t *info)
{
    static const char *const reasons[] = {"poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset"};
    unsigned int reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    return reason < sizeof reasons / sizeof reasons[0] ? reasons[reason] : "unknown";
}

static void print_state(FILE *out, const struct builder *builder, const xc_domaininfo_t *info)
{
    fputc('{', out);
    print_domain(out, info->domain, info->handle);
    for (size_t i = 0; i < builder->domains.count; i++) {
        const struct domain *own = &builder->domains.list[i];
        if (own->domid == info->domain && memcmp(own->uuid, info->handle, sizeof own->uuid) == 0) {
            fputs(",\"name\":", out);
            json_print(out, own->name);
        }
    }
    fprintf(out, ",\"memoryKiB\":%" PRIu64 ",\"cpuNanos\":%" PRIu64, (uint64_t)info->tot_pages * 4, (uint64_t)info->cpu_time);
    if (info->flags & XEN_DOMINF_paused)
        fputs(",\"paused\":true", out);
    if (info->flags & XEN_DOMINF_dying)
        fputs(",\"dying\":true", out);
    if (info->flags & XEN_DOMINF_shutdown)
        fprintf(out, ",\"shutdown\":\"%s\"", end_of(info));
    fputc('}', out);
}

void answer_list(uint64_t id, const struct builder *builder, const xc_domaininfo_t *infos, size_t count)
{
    struct line line;
    if (!line_begin(&line))
        return;
    fprintf(line.out, "{\"id\":%" PRIu64 ",\"ok\":{\"domains\":[", id);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputc(',', line.out);
        print_state(line.out, builder, &infos[i]);
    }
    fputs("]}", line.out);
    line_end(&line);
}

void answer_failure(const uint64_t *id, const struct failure *failure)
{
    struct line line;
    const char *name = strerrorname_np(failure->error);
    if (!line_begin(&line))
        return;
    fputc('{', line.out);
    if (id)
        fprintf(line.out, "\"id\":%" PRIu64 ",", *id);
    fprintf(line.out, "\"error\":{\"step\":\"%s\",\"code\":\"%s\",\"errno\":\"%s\",\"message\":", failure->step, failure->code,
            name ? name : "EIO");
    json_print(line.out, failure->message);
    fputc('}', line.out);
    line_end(&line);
}
