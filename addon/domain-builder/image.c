/* A kernel's image: made, and looked at. */
#include "image.h"

#include <errno.h>
#include <string.h>

struct xc_dom_image *image_of(struct builder *builder, const struct kernel *kernel, bool pvh, const char *cmdline)
{
    struct xc_dom_image *image = xc_dom_allocate(builder->xch, cmdline, NULL);
    if (!image) {
        failure_set(&builder->failure, "image", "NO_MEMORY", ENOMEM, "no memory for the image of %s", kernel->path);
        return NULL;
    }
    image->container_type = pvh ? XC_DOM_HVM_CONTAINER : XC_DOM_PV_CONTAINER;
    /* Of one that is compressed, so that a small file cannot become all memory. */
    xc_dom_kernel_max_size(image, KERNEL_MAX);
    if (xc_dom_kernel_mem(image, kernel->bytes, kernel->size) != 0) {
        failure_set(&builder->failure, "image", "NOT_A_KERNEL", ENOEXEC, "%s is no kernel: %s", kernel->path,
                    builder->failure.said);
        xc_dom_release(image);
        return NULL;
    }
    return image;
}

int image_parse(struct builder *builder, struct xc_dom_image *image, const char *path)
{
    bool pvh = image->container_type == XC_DOM_HVM_CONTAINER;
    if (xc_dom_parse_image(image) != 0)
        return failure_set(&builder->failure, "parse", "NOT_A_KERNEL", ENOEXEC, "%s is no kernel for %s: %s", path,
                           pvh ? "pvh" : "pv", builder->failure.said[0] ? builder->failure.said : "it cannot be parsed");
    return 0;
}
