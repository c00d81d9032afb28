/*
 * The builder of one process: its handles, the kernels that it keeps, the domains that it has built. One request at a time: Xen lets
 * one caller at a time change domains anyway (xen:xen/common/domctl.c, domctl_lock).
 */
#ifndef BUILDER_H
#define BUILDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <xenctrl.h>

#include "domains.h"
#include "failure.h"
#include "kernels.h"
#include "store.h"

struct builder {
    xc_interface *xch;
    struct store store;
    struct failure failure; /* of the request under way */
    struct kernels kernels;
    struct domains domains;
    uint32_t store_domid, console_domid; /* who serves them: dom0, or a domain of their own */
    bool hap;                            /* hardware-assisted paging */
    bool no_console;                     /* nobody serves consoles, as far as we know */
};

#endif
