/*
 * Where Xen starts the guest: the header of an arm64 Image (Documentation/arch/arm64/booting.rst), the page tables, the
 * vectors, the hypercall, and the change of stacks. Entered at EL1 with the MMU off and the device tree's address in x0
 * (xen:tools/libs/guest/xg_dom_arm.c, vcpu_arm64); runs wherever it was loaded.
 */
#define STACK_BYTES 8192
#define HYPERCALL_TAG 0xea1             /* xen/include/public/arch-arm.h */

/* A block of normal memory: write-back, inner shareable, accessed, not for EL0's instructions (Arm ARM D8.3). */
#define BLOCK_ATTRIBUTES 0x701
#define BLOCK_UXN (1 << 54)
/* Attribute 0: normal, inner and outer write-back, allocating: what Xen asks of shared pages (arch-arm.h). */
#define MAIR 0xff
/* 39 bits of address, 4 KiB pages, tables read as normal write-back memory, no TTBR1, 40 bits of output. */
#define TCR (25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32)
#define SCTLR_MMU_AND_CACHES (1 << 0 | 1 << 2 | 1 << 12)
/* SP selected, everything masked. */
#define GIB_SHIFT 30
#define RELOCATION_BYTES 24             /* Elf64_Rela: offset, info, addend */

    .section .head, "ax"
    .globl image_start
image_start:
    b begin
    .long 0
    .quad 0                             /* offset from a boundary of 2 MiB */
    .quad image_bytes
    .quad 0xa                           /* little endian, 4 KiB pages, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

/*
 * The tables are written past the caches. Order matters: lines that the caches may hold of them go after the last write and
 * before the first walk.
 */
begin:
    mrs x20, cntvct_el0
    mov x19, x0
    adrp x1, top_table
    mov x2, x1
    add x3, x1, #4096
1:  stp xzr, xzr, [x2], #16
    cmp x2, x3
    b.lo 1b
    lsr x4, x1, #GIB_SHIFT              /* the GiB that the image lies in */
    lsl x5, x4, #GIB_SHIFT
    mov x6, #BLOCK_ATTRIBUTES
    orr x6, x6, #BLOCK_UXN
    orr x5, x5, x6
    str x5, [x1, x4, lsl #3]
    dmb sy
    mrs x4, ctr_el0
    ubfx x4, x4, #16, #4                /* DminLine: words, as a power of two */
    mov x5, #4
    lsl x5, x5, x4
    mov x2, x1
2:  dc ivac, x2
    add x2, x2, x5
    cmp x2, x3
    b.lo 2b
    mov x4, #MAIR
    msr mair_el1, x4
    ldr x4, =TCR
    msr tcr_el1, x4
    msr ttbr0_el1, x1
    tlbi vmalle1
    ic iallu
    dsb sy
    isb
    mrs x4, sctlr_el1
    ldr x5, =SCTLR_MMU_AND_CACHES
    orr x4, x4, x5
    msr sctlr_el1, x4
    isb
    adrp x4, image_start                /* the vectors lie in it */
    msr vbar_el1, x4
    b in_memory
    .ltorg

/* Only the vectors for exceptions of EL1 on its own stack pointer can be taken: the others' places hold the code above. */
.macro vector kind
    .balign 128
    mov x0, #\kind
    mrs x1, esr_el1
    mrs x2, elr_el1
    mrs x3, far_el1
    b exception
.endm

    .org image_start + 0x200
    vector 0                            /* synchronous */
    vector 1                            /* IRQ */
    vector 2                            /* FIQ */
    vector 3                            /* SError */

    .text
in_memory:
    adrp x1, bss_start
    adrp x2, bss_end
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b
    mov sp, x2                          /* the stack is the last of it */
    adrp x4, image_start
    adrp x1, relocations
    add x1, x1, #:lo12:relocations
    adrp x2, relocations_end
    add x2, x2, #:lo12:relocations_end
2:  cmp x1, x2
    b.hs 3f
    ldr x5, [x1]
    ldr x6, [x1, #16]
    add x6, x6, x4
    str x6, [x4, x5]
    add x1, x1, #RELOCATION_BYTES
    b 2b
3:  mov x29, xzr
    mov x30, xzr
    mov x0, x19
    mov x1, x20
    b boot_arm64

/* long arch_hypercall(unsigned number, first, second, third): number in x16, arguments from x0 on, the result in x0 */
    .globl arch_hypercall
arch_hypercall:
    mov w16, w0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    hvc #HYPERCALL_TAG
    ret

/* void arch_switch(void **store, void *load) */
    .globl arch_switch
arch_switch:
    stp x29, x30, [sp, #-96]!
    stp x27, x28, [sp, #16]
    stp x25, x26, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x21, x22, [sp, #64]
    stp x19, x20, [sp, #80]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #80]
    ldp x21, x22, [sp, #64]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #32]
    ldp x27, x28, [sp, #16]
    ldp x29, x30, [sp], #96
    ret

    .section .tables, "aw", @nobits
    .balign 4096
    .globl top_table
top_table:
    .skip 4096
    .section .stack, "aw", @nobits
    .skip STACK_BYTES
    .section .note.GNU-stack, "", @progbits
