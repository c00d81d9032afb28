/* What a build may ask for. */
#include "members.h"

#include <string.h>

/* x86 can address 52 bits; PVH domains have at most 128 vCPUs (xen:xen/include/public/hvm/hvm_info_table.h, HVM_MAX_VCPUS). */
#define MEMORY_MAX_KIB (1ull << 42)
#define VCPUS_MAX 128

static int parse_provisioned(struct builder *builder, const struct json *given, struct build_request *request)
{
    static const char *const members[] = {"peer", "path", "gref", NULL};
    uint64_t peer = 0, gref = 0;
    if (!given)
        return 0;
    if (given->type != JSON_OBJECT || !only_members(given, members) || !json_whole(json_member(given, "peer"), 0, 0, &peer) ||
        !json_whole(json_member(given, "gref"), 1, UINT32_MAX, &gref) || !fit_path(string_in(given, "path")) ||
        strncmp(string_in(given, "path"), "data/", 5) != 0)
        return bad_request(builder, "provisioned is {peer: 0, path: a path below data/, gref}");
    request->provisioned = string_in(given, "path");
    request->gref = (uint32_t)gref;
    return 0;
}

int parse_build(struct builder *builder, const struct json *given, struct build_request *request)
{
    static const char *const members[] = {"kernel", "ramdisk", "name",   "type",        "memoryKiB", "vcpus",
                                          "cmdline", "paused", "trace", "provisioned", NULL};
    uint64_t vcpus = 1;
    const char *type = string_in(given, "type");
    const struct json *paused = json_member(given, "paused"), *trace = json_member(given, "trace");
    request->kernel = string_in(given, "kernel");
    request->ramdisk = string_in(given, "ramdisk");
    request->name = string_in(given, "name");
    request->cmdline = json_member(given, "cmdline") ? string_in(given, "cmdline") : "";
    request->pvh = type && strcmp(type, "pvh") == 0;
    request->trace = trace && trace->type == JSON_TRUE;
    if (!only_members(given, members))
        return bad_request(builder, "build has kernel, ramdisk, name, type, memoryKiB, vcpus, cmdline, provisioned, paused and trace");
    if (!request->kernel || (json_member(given, "ramdisk") && !request->ramdisk) || !request->cmdline)
        return bad_request(builder, "kernel, ramdisk and cmdline are strings, and a kernel is needed");
    if (!fit_name(request->name))
        return bad_request(builder, "name is 1 to 200 bytes without blanks");
    if (!type || (!request->pvh && strcmp(type, "pv") != 0))
        return bad_request(builder, "type is \"pv\" or \"pvh\"");
    if (!json_whole(json_member(given, "memoryKiB"), 1024, MEMORY_MAX_KIB, &request->memory_kib))
        return bad_request(builder, "memoryKiB is a whole number, at least 1024");
    if (json_member(given, "vcpus") && !json_whole(json_member(given, "vcpus"), 1, VCPUS_MAX, &vcpus))
        return bad_request(builder, "vcpus is a whole number from 1 to 128");
    if (paused && paused->type != JSON_TRUE)
        return bad_request(builder, "a domain is built paused");
    request->vcpus = (uint32_t)vcpus;
    return parse_provisioned(builder, json_member(given, "provisioned"), request);
}
