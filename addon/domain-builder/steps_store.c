/* A domain as the store's. */
#include "steps.h"

#include <errno.h>

/* Sent now and answered while memory is filled. */
int step_nodes(struct build *build)
{
    const struct build_request *request = build->request;
    const struct node_facts facts = {
        .domid = build->built->domid,
        .name = request->name,
        .pvh = request->pvh,
        .provisioned = request->provisioned,
        .port = build->built->port,
        .gref = request->gref,
    };
    nodes_before(&build->builder->store, &build->nodes, &facts);
    return store_send(&build->builder->store, &build->nodes);
}

int step_introduce(struct build *build)
{
    const struct xc_dom_image *image = build->image;
    bool pvh = build->request->pvh;
    const struct ring_facts facts = {
        .domid = build->built->domid,
        .store_frame = pvh ? image->xenstore_pfn : xc_dom_p2m(build->image, image->xenstore_pfn),
        .console_frame = pvh ? image->console_pfn : xc_dom_p2m(build->image, image->console_pfn),
        .store_port = (uint32_t)build->store_port,
        .console_port = (uint32_t)build->console_port,
    };
    nodes_introduce(&build->builder->store, &build->rings, &facts);
    return store_send(&build->builder->store, &build->rings);
}

int step_answers(struct build *build)
{
    struct store *store = &build->builder->store;
    if (store_receive(store, &build->nodes) != 0 || store_receive(store, &build->rings) != 0)
        return -1;
    errno = batch_error(&build->nodes) ? batch_error(&build->nodes) : batch_error(&build->rings);
    return errno == 0 ? 0 : -1;
}
