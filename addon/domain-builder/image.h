/* The guest's image in libxenguest's hands. */
#ifndef IMAGE_H
#define IMAGE_H

#include <xenctrl.h>
#include <xenguest.h>

#include "builder.h"

/* With the kernel's bytes, which must stay as long; NULL with builder->failure. xc_dom_release() it. */
struct xc_dom_image *image_of(struct builder *builder, const struct kernel *kernel, bool pvh, const char *cmdline);
/* Whether it is one of the kind; -1 with builder->failure, which names the file. */
int image_parse(struct builder *builder, struct xc_dom_image *image, const char *path);

#endif
