/*
 * What guests with guest frames of their own, PVH and arm64, ask Xen for: to put a page of its own into one of those frames, and
 * the parameters that the domain builder has left. xen/include/public/{memory,hvm/hvm_op,hvm/params}.h.
 */
#ifndef HVM_H
#define HVM_H

#include "arch.h"
#include "xen.h"

struct add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space;
    uint64_t index, guest_frame;
};

struct hvm_param {
    domid_t domid;
    uint32_t index;
    uint64_t value;
};

enum { XENMEM_ADD_TO_PHYSMAP = 7, SPACE_SHARED_INFO = 0, SPACE_GRANT_TABLE = 1 };
enum { HVMOP_GET_PARAM = 1, PARAM_STORE_FRAME = 1, PARAM_STORE_PORT = 2, PARAM_CONSOLE_FRAME = 17, PARAM_CONSOLE_PORT = 18 };

/* 0, or a negative errno of Xen's. */
static inline int hvm_put_into(const void *page, uint32_t space, uint64_t index)
{
    struct add_to_physmap add = {
        .domid = DOMID_SELF, .space = space, .index = index, .guest_frame = (uintptr_t)page / PAGE_BYTES};
    return (int)arch_hypercall(HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, (uintptr_t)&add, 0);
}

/* 0: there is none. */
static inline uint64_t hvm_parameter(uint32_t index)
{
    struct hvm_param param = {.domid = DOMID_SELF, .index = index};
    return arch_hypercall(HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uintptr_t)&param, 0) == 0 ? param.value : 0;
}

#endif
