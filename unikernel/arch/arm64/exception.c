/*
 * An exception is this guest's end: its syndrome (Arm ARM, ESR_EL1), where it was taken, and the address that faulted go to the
 * console, and Xen is told that the guest has crashed.
 */
#include "../../console.h"
#include "../../xen.h"
#include "arm64.h"

#define DIGITS 16

struct hexadecimal {
    char digits[DIGITS + 1];
};

static const char *hexadecimal(struct hexadecimal *out, uint64_t value)
{
    for (int i = DIGITS - 1; i >= 0; i--, value >>= 4)
        out->digits[i] = "0123456789abcdef"[value & 15];
    out->digits[DIGITS] = '\0';
    return out->digits;
}

__attribute__((noreturn)) void exception(unsigned kind, uint64_t syndrome, uint64_t address, uint64_t fault)
{
    static bool told;
    struct hexadecimal esr, elr, far;
    /* One that telling this one brings would never end. */
    if (!told) {
        told = true;
        console_line("conduit: exception %u, ESR %s at %s, FAR %s", kind, hexadecimal(&esr, syndrome),
                     hexadecimal(&elr, address), hexadecimal(&far, fault));
    }
    guest_end(SHUTDOWN_CRASH);
}
