/*
 * conduit-domain-builder: builds Xen domains for jitsud. Requests on stdin, answers on stdout, one JSON object a line. The end of stdin is
 * the end of its user: what was built and never let run is destroyed then. Signals that a terminal or a service manager sends to
 * everybody are left to that user.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "destroy.h"
#include "requests.h"

#define LINE_MAX_BYTES (64 << 10)

static int unusable(const char *code, const char *what, int error)
{
    char message[300];
    snprintf(message, sizeof message, "%s: %s", what, strerror(error));
    answer_unusable(code, message);
    return 1;
}

static uint32_t domid_at(const struct store_request *request)
{
    return request->error == 0 ? (uint32_t)strtoul(request->value, NULL, 10) : 0;
}

/* Where the store and consoles are served, unless by dom0 (xen:docs/misc/xenstore-paths.pandoc, /tool). */
static int find_services(struct builder *builder)
{
    struct store_batch batch = {0};
    unsigned int store = batch_read(&builder->store, &batch, "/tool/xenstored/domid");
    unsigned int console = batch_read(&builder->store, &batch, "/tool/xenconsoled/domid");
    int result = store_send(&builder->store, &batch);
    if (result == 0 && (result = store_receive(&builder->store, &batch)) == 0) {
        builder->store_domid = domid_at(&batch.requests[store]);
        builder->console_domid = domid_at(&batch.requests[console]);
    }
    batch_free(&batch);
    return result;
}

static int open_builder(struct builder *builder, bool check_only)
{
    char running[16];
    xc_physinfo_t machine = {0};
    xentoollog_logger *logger = failure_logger(&builder->failure);
    /* libxenguest logs its own way into a file, unless it is told. */
    builder->xch = logger ? xc_interface_open(logger, logger, 0) : NULL;
    if (!builder->xch)
        return unusable("NO_XEN", "the hypervisor cannot be reached", logger ? errno : ENOMEM);
    int version = xc_version(builder->xch, XENVER_version, NULL);
    if (version < 0)
        return unusable("NO_XEN", "the hypervisor does not tell its version", errno);
    snprintf(running, sizeof running, "%d.%d", version >> 16, version & 0xffff);
    /* The first request of the interface that changes with each version. */
    if (xc_physinfo(builder->xch, &machine) != 0) {
        char what[120];
        snprintf(what, sizeof what, "Xen %s runs here and refuses libxenctrl %s", running, CONDUIT_XEN_VERSION);
        return unusable(errno == EACCES || errno == ENOSYS ? "OTHER_VERSION" : "NO_XEN", what, errno);
    }
    builder->hap = machine.capabilities & XEN_SYSCTL_PHYSCAP_hap;
    if (find_services(builder) != 0)
        return unusable("NO_STORE", "xenstore cannot be reached", errno);
    int orphans = check_only ? 0 : destroy_orphans(builder);
    if (orphans < 0)
        return unusable("NO_XEN", "domains cannot be listed", errno);
    answer_ready(builder, running, orphans);
    return 0;
}

/* Reads a line of at most LINE_MAX_BYTES; a longer one is skipped and becomes an empty one, which is no request. */
static bool next_line(char *line)
{
    size_t length = 0;
    bool cut = false;
    int byte;
    while ((byte = getchar_unlocked()) != EOF && byte != '\n') {
        if (length < LINE_MAX_BYTES)
            line[length++] = (char)byte;
        else
            cut = true;
    }
    line[cut ? 0 : length] = '\0';
    /* What ends without an end of line was cut off with its sender. */
    return byte != EOF;
}

/* --check: only say whether it could work here, and change nothing. */
int main(int argc, char **argv)
{
    bool check_only = argc == 2 && strcmp(argv[1], "--check") == 0;
    if (argc > 1 && !check_only) {
        fprintf(stderr, "usage: conduit-domain-builder [--check]; requests on stdin: docs/launchers.md\n");
        return 2;
    }
    static struct builder builder = {.store = {.fd = -1}};
    static char line[LINE_MAX_BYTES + 1];
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    int status = open_builder(&builder, check_only);
    while (status == 0 && !check_only && next_line(line))
        serve_line(&builder, line);
    destroy_unused(&builder);
    return status;
}
