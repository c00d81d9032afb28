/* The nodes of a domain. What xl writes beside them (vm, memory, cpu, store, image, device) has no reader with these guests. */
#include "nodes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

#define PATH_MAX_BYTES 512

__attribute__((format(printf, 4, 5))) static void write_node(struct store *store, struct store_batch *batch, const char *path,
                                                             const char *format, ...)
{
    char value[PATH_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    batch_write(store, batch, path, value);
}

static const char *below(char *path, uint32_t domid, const char *rest)
{
    snprintf(path, PATH_MAX_BYTES, "/local/domain/%" PRIu32 "%s", domid, rest);
    return path;
}

/* What the guest may write: its data, and control, where it acknowledges a shutdown and says what it can. Nodes below that dom0 makes
 * later have the permissions of the one above: xl's order to shut down can be answered. xl makes each node of control by itself; two
 * requests instead of ten. */
static void guest_nodes(struct store *store, struct store_batch *batch, uint32_t domid)
{
    static const char *const own[] = {"/data", "/control"};
    char path[PATH_MAX_BYTES];
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        batch_write(store, batch, below(path, domid, own[i]), "");
        batch_permit(store, batch, path, domid, -1);
    }
}

/* ocaml-vchan's and libxenvchan's keys (docs/launchers.md, "provisioned"). The guest's, since below data; the mark is last. */
static void provisioned_nodes(struct store *store, struct store_batch *batch, const struct node_facts *facts)
{
    static const char *const keys[] = {"event-channel", "ring-ref", "provisioned"};
    const uint32_t values[] = {facts->port, facts->gref, 1};
    char path[PATH_MAX_BYTES];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(path, sizeof path, "/local/domain/%" PRIu32 "/%s/%s", facts->domid, facts->provisioned, keys[i]);
        write_node(store, batch, path, "%" PRIu32, values[i]);
    }
}

void nodes_before(struct store *store, struct store_batch *batch, const struct node_facts *facts)
{
    uint32_t domid = facts->domid;
    char path[PATH_MAX_BYTES];
    batch_write(store, batch, below(path, domid, ""), "");
    batch_permit(store, batch, path, 0, (int)domid);
    write_node(store, batch, below(path, domid, "/domid"), "%" PRIu32, domid);
    guest_nodes(store, batch, domid);
    if (facts->provisioned)
        provisioned_nodes(store, batch, facts);
    /* xl takes a domain with hardware virtualisation and without a type for one with a device model. */
    snprintf(path, sizeof path, "/libxl/%" PRIu32 "/type", domid);
    if (facts->pvh)
        write_node(store, batch, path, "pvh");
    nodes_rename(store, batch, domid, facts->name);
}

void nodes_rename(struct store *store, struct store_batch *batch, uint32_t domid, const char *name)
{
    char path[PATH_MAX_BYTES];
    batch_write(store, batch, below(path, domid, "/name"), name);
}

/* xenconsoled looks when a domain is introduced: its nodes first. */
void nodes_introduce(struct store *store, struct store_batch *batch, const struct ring_facts *facts)
{
    char path[PATH_MAX_BYTES], payload[96];
    write_node(store, batch, below(path, facts->domid, "/console/ring-ref"), "%" PRIu64, facts->console_frame);
    write_node(store, batch, below(path, facts->domid, "/console/port"), "%" PRIu32, facts->console_port);
    int length = snprintf(payload, sizeof payload, "%" PRIu32 "%c%" PRIu64 "%c%" PRIu32, facts->domid, 0, facts->store_frame, 0,
                          facts->store_port);
    batch_add(store, batch, XS_INTRODUCE, payload, (size_t)length + 1);
}

void nodes_remove(struct store *store, struct store_batch *batch, uint32_t domid)
{
    char path[PATH_MAX_BYTES];
    int length = snprintf(path, sizeof path, "%" PRIu32, domid);
    batch_add(store, batch, XS_RELEASE, path, (size_t)length + 1);
    batch_remove(store, batch, below(path, domid, ""));
    snprintf(path, sizeof path, "/libxl/%" PRIu32, domid);
    batch_remove(store, batch, path);
}

/* Names of the batch's domains; 1 when one is `name`. */
static int any_named(struct builder *builder, struct store_batch *batch, const uint32_t *domids, const char *name,
                     uint32_t *holder)
{
    if (store_send(&builder->store, batch) != 0 || store_receive(&builder->store, batch) != 0)
        return -1;
    for (unsigned int i = 0; i < batch->count; i++)
        if (batch->requests[i].error == 0 && strcmp(batch->requests[i].value, name) == 0) {
            *holder = domids[i];
            return 1;
        }
    return 0;
}

/* Names that this process gave are known; the others' are read, and so is one that seems to be taken: xl may have changed it. */
static bool worth_reading(struct builder *builder, const xc_domaininfo_t *info, const char *name)
{
    const struct domain *own = domains_find(&builder->domains, info->domain);
    return info->domain != 0 && (!own || strcmp(own->name, name) == 0);
}

int name_taken(struct builder *builder, const char *name, uint32_t *holder)
{
    xc_domaininfo_t *infos;
    size_t count;
    uint32_t domids[STORE_BATCH_MAX];
    struct store_batch batch = {0};
    int taken = strcmp(name, "Domain-0") == 0;
    *holder = 0;
    if (xen_domains(builder->xch, &infos, &count) != 0)
        return -1;
    domains_keep_only(&builder->domains, infos, count);
    for (size_t i = 0; i < count && taken == 0; i++) {
        char path[PATH_MAX_BYTES];
        if (worth_reading(builder, &infos[i], name)) {
            domids[batch.count] = infos[i].domain;
            batch_read(&builder->store, &batch, below(path, infos[i].domain, "/name"));
        }
        if (batch.count == STORE_BATCH_MAX || (i + 1 == count && batch.count > 0)) {
            taken = any_named(builder, &batch, domids, name, holder);
            batch_free(&batch);
        }
    }
    batch_free(&batch);
    free(infos);
    return taken;
}
