/*
 * The PVH guest: the entry code has mapped memory as it is, and pages of Xen's are put into guest frames by hypercalls.
 * xen/include/public/arch-x86/hvm/start_info.h.
 */
#include <cpuid.h>

#include "../../hvm.h"
#include "../../xen.h"
#include "x86.h"

struct hvm_start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp;
    uint64_t memory_map; /* from version 1 on */
    uint32_t memory_map_entries, reserved;
};

struct memory_map_entry {
    uint64_t address, bytes;
    uint32_t type, reserved;
};

enum { MEMORY_RAM = 1 };
#define COMMAND_LINE_BYTES 1024
/* "Hygo": <cpuid.h> of gcc 12 does not know it. */
#define SIGNATURE_HYGON 0x6f677948u

extern uint8_t image_end[];
static char command_line[COMMAND_LINE_BYTES];

bool pvh_map_grant_table(void)
{
    /* The last one first: the table grows once. */
    for (int i = GRANT_FRAMES - 1; i >= 0; i--)
        if (hvm_put_into(grant_pages[i], SPACE_GRANT_TABLE, (uint64_t)i) != 0)
            return false;
    return true;
}

/* AMD and Hygon have vmmcall, all others vmcall. */
static enum hypercall_way way_of_this_processor(void)
{
    uint32_t leaf, vendor = 0, rest;
    __cpuid(0, leaf, vendor, rest, rest);
    return vendor == signature_AMD_ebx || vendor == SIGNATURE_HYGON ? HYPERCALL_VMMCALL : HYPERCALL_VMCALL;
}

/* The end of the memory that the image lies in. */
static uintptr_t memory_end(const struct hvm_start_info *info)
{
    const struct memory_map_entry *entry = (const struct memory_map_entry *)info->memory_map;
    for (uint32_t i = 0; info->version >= 1 && i < info->memory_map_entries; i++, entry++)
        if (entry->type == MEMORY_RAM && entry->address <= (uintptr_t)image_end &&
            entry->address + entry->bytes > (uintptr_t)image_end)
            return entry->address + entry->bytes;
    return (uintptr_t)image_end;
}

__attribute__((noreturn)) void boot_pvh(const struct hvm_start_info *info)
{
    hypercall_way = way_of_this_processor();
    hvm_put_into(shared_info_page, SPACE_SHARED_INFO, 0);
    /* Copied: the memory behind the image is ours from here on. */
    const char *line = (const char *)info->command_line;
    for (int i = 0; line != NULL && i < COMMAND_LINE_BYTES - 1 && line[i] != '\0'; i++)
        command_line[i] = line[i];
    const uintptr_t end = memory_end(info), limit = end < WINDOW_BASE ? end : WINDOW_BASE;
    const uint64_t console_frame = hvm_parameter(PARAM_CONSOLE_FRAME);
    const struct boot_info boot = {
        .command_line = command_line,
        .memory = image_end,
        .memory_pages = (limit - (uintptr_t)image_end) / PAGE_BYTES,
        .store_page = (volatile uint8_t *)(hvm_parameter(PARAM_STORE_FRAME) * PAGE_BYTES),
        .store_port = (uint32_t)hvm_parameter(PARAM_STORE_PORT),
        .console_page = console_frame != 0 ? (volatile uint8_t *)(console_frame * PAGE_BYTES) : NULL,
        .console_port = (uint32_t)hvm_parameter(PARAM_CONSOLE_PORT),
        .events_pending = (unsigned long *)(shared_info_page + SHARED_EVENTS_PENDING),
    };
    guest_main(&boot);
}
