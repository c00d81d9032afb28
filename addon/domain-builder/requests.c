/* Requests, and who does what they ask for. */
#include "requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "destroy.h"
#include "image.h"
#include "json.h"
#include "mark.h"
#include "members.h"
#include "nodes.h"

static int serve_build(struct builder *builder, uint64_t id, const struct json *given)
{
    struct build_request request = {.id = id};
    struct built built = {0};
    if (parse_build(builder, given, &request) != 0 || build_domain(builder, &request, &built) != 0)
        return -1;
    answer_built(id, &built, &request);
    return 0;
}

static int serve_load(struct builder *builder, uint64_t id, const struct json *given)
{
    static const char *const members[] = {"path", "type", NULL};
    const char *path = string_in(given, "path"), *type = string_in(given, "type");
    if (!path || !only_members(given, members) || (type && strcmp(type, "pv") != 0 && strcmp(type, "pvh") != 0))
        return bad_request(builder, "load has path, and type \"pv\" or \"pvh\"");
    const struct kernel *kernel = kernels_get(&builder->kernels, path, &builder->failure);
    struct xc_dom_image *image = kernel ? image_of(builder, kernel, type && strcmp(type, "pvh") == 0, "") : NULL;
    if (!image)
        return -1;
    int result = image_parse(builder, image, path);
    xc_dom_release(image);
    if (result == 0)
        answer_loaded(id, kernel);
    return result;
}

/* The domain that a request means: 1, 0 when there is no such any more, -1 with the failure. */
static int meant(struct builder *builder, const struct json *given, uint32_t *domid, xen_domain_handle_t uuid)
{
    uint64_t number;
    xc_domaininfo_t info;
    const char *text = string_in(given, "uuid");
    /* Domain 0 and the reserved numbers (xen:xen/include/public/xen.h, DOMID_FIRST_RESERVED) are nobody's to end. */
    if (!json_whole(json_member(given, "domid"), 1, 0x7fef, &number) || !text || !uuid_parse(text, uuid))
        return bad_request(builder, "a domain is named by its domid and uuid");
    *domid = (uint32_t)number;
    int found = xen_domain(builder->xch, *domid, uuid, &info);
    if (found < 0)
        return failure_set(&builder->failure, "find", NULL, errno, "domain %u cannot be looked up: %s", *domid, strerror(errno));
    return found;
}

static int gone(struct builder *builder, uint32_t domid)
{
    return failure_set(&builder->failure, "find", "GONE", ESRCH, "there is no such domain %u any more", domid);
}

static int serve_unpause(struct builder *builder, uint64_t id, const struct json *given)
{
    uint32_t domid;
    xen_domain_handle_t uuid;
    int found = meant(builder, given, &domid, uuid);
    if (found <= 0)
        return found < 0 ? -1 : gone(builder, domid);
    if (xc_domain_unpause(builder->xch, domid) != 0)
        return failure_set(&builder->failure, "unpause", NULL, errno, "domain %u cannot be unpaused: %s", domid, strerror(errno));
    struct domain *own = domains_find(&builder->domains, domid);
    if (own)
        own->handed_over = true;
    answer_done(id, false);
    return 0;
}

static int serve_destroy(struct builder *builder, uint64_t id, const struct json *given)
{
    uint32_t domid;
    xen_domain_handle_t uuid;
    int found = meant(builder, given, &domid, uuid);
    if (found < 0)
        return -1;
    if (found && destroy_domain(builder, domid) != 0)
        return failure_set(&builder->failure, "destroy", NULL, errno, "domain %u cannot be destroyed: %s", domid,
                           strerror(errno));
    answer_done(id, !found);
    return 0;
}

static int serve_rename(struct builder *builder, uint64_t id, const struct json *given)
{
    uint32_t domid, holder;
    xen_domain_handle_t uuid;
    const char *name = string_in(given, "name");
    int found = meant(builder, given, &domid, uuid);
    if (found <= 0)
        return found < 0 ? -1 : gone(builder, domid);
    struct domain *own = domains_find(&builder->domains, domid);
    if (!fit_name(name))
        return bad_request(builder, "name is 1 to 200 bytes without blanks");
    int taken = name_taken(builder, name, &holder);
    if (taken > 0)
        return failure_set(&builder->failure, "name", "NAME_TAKEN", EEXIST, "domain %u has the name %s already", holder, name);
    struct store_batch batch = {0};
    nodes_rename(&builder->store, &batch, domid, name);
    int result = taken < 0 ? -1 : store_send(&builder->store, &batch);
    if (result == 0)
        result = store_receive(&builder->store, &batch);
    int why = result != 0 ? errno : batch_error(&batch);
    batch_free(&batch);
    if (why != 0)
        return failure_set(&builder->failure, "rename", "STORE", why, "domain %u cannot be renamed: %s", domid, strerror(why));
    char *kept = own ? strdup(name) : NULL;
    if (kept) {
        free(own->name);
        own->name = kept;
    }
    answer_done(id, false);
    return 0;
}

static int serve_list(struct builder *builder, uint64_t id, const struct json *given)
{
    xc_domaininfo_t *infos;
    size_t count;
    (void)given;
    if (xen_domains(builder->xch, &infos, &count) != 0)
        return failure_set(&builder->failure, "list", NULL, errno, "domains cannot be listed: %s", strerror(errno));
    answer_list(id, builder, infos, count);
    free(infos);
    return 0;
}

static int dispatch(struct builder *builder, uint64_t id, const struct json *root)
{
    static const struct {
        const char *name;
        int (*serve)(struct builder *builder, uint64_t id, const struct json *given);
    } kinds[] = {
        {"load", serve_load},       {"build", serve_build},   {"unpause", serve_unpause},
        {"destroy", serve_destroy}, {"rename", serve_rename}, {"list", serve_list},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct json *given = json_member(root, kinds[i].name);
        if (given && given->type == JSON_OBJECT)
            return kinds[i].serve(builder, id, given);
    }
    return bad_request(builder, "a request is {id, load|build|unpause|rename|destroy|list: {…}}");
}

void serve_line(struct builder *builder, char *line)
{
    static struct json_pool pool;
    uint64_t id;
    failure_clear(&builder->failure);
    const struct json *root = json_parse(&pool, line);
    if (!root || !json_whole(json_member(root, "id"), 0, UINT64_MAX, &id)) {
        bad_request(builder, root ? "a request has an id, a whole number" : "no line of JSON");
        answer_failure(NULL, &builder->failure);
        return;
    }
    if (dispatch(builder, id, root) != 0)
        answer_failure(&id, &builder->failure);
}
