/*
 * Where Xen starts the guest, the hypercall itself, and the change of stacks. One image for both kinds: PV enters at
 * entry_pv with paging on and the start_info page in %rsi; PVH at entry_pvh in 32-bit mode without paging and the
 * hvm_start_info in %ebx (xen/include/public/{xen,arch-x86/hvm/start_info}.h). ELF notes: xen/include/public/elfnote.h.
 */
#define STACK_BYTES 8192
#define NOTE_ENTRY 1
#define NOTE_VIRT_BASE 3
#define NOTE_PADDR_OFFSET 4
#define NOTE_XEN_VERSION 5
#define NOTE_LOADER 8
#define NOTE_PHYS32_ENTRY 18

.macro note type, value:vararg
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:
.endm

    .section .note.Xen, "a", @note
    note NOTE_XEN_VERSION, .asciz "xen-3.0"
    note NOTE_LOADER, .asciz "generic"
    note NOTE_ENTRY, .quad entry_pv
    note NOTE_VIRT_BASE, .quad 0
    note NOTE_PADDR_OFFSET, .quad 0
    note NOTE_PHYS32_ENTRY, .long entry_pvh
    .balign 4

    .text
    .code64
    .globl entry_pv
entry_pv:
    rdtsc
    mov %eax, began_ticks(%rip)
    mov %edx, 4 + began_ticks(%rip)
    lea stack_end(%rip), %rsp
    xor %ebp, %ebp
    mov %rsi, %rdi
    call boot_pv

/* The first and the last of four GiB, mapped as they are: memory, and the pages of Xen's below 4 GiB. */
#define PAGE_WRITABLE 0x3
#define PAGE_2MIB 0x83
    .code32
entry_pvh:
    rdtsc
    mov %eax, began_ticks
    mov %edx, 4 + began_ticks
    cld
    mov $stack_end, %esp
    mov %ebx, %edi
    movl $(middle_low + PAGE_WRITABLE), upper
    movl $(middle_high + PAGE_WRITABLE), upper + 3 * 8
    movl $(upper + PAGE_WRITABLE), top
    mov $PAGE_2MIB, %eax
    xor %ecx, %ecx
1:  mov %eax, middle_low(, %ecx, 8)
    lea 0xc0000000(%eax), %edx
    mov %edx, middle_high(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $512, %ecx
    jne 1b
    mov %cr4, %eax
    or $0x20, %eax                  /* PAE */
    mov %eax, %cr4
    mov $top, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx           /* EFER: LME */
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000011, %eax           /* PG, ET, PE */
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $1f
    .code64
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %ebp, %ebp
    call boot_pvh

/* long arch_hypercall(unsigned number, first, second, third) */
    .globl arch_hypercall
arch_hypercall:
    mov %edi, %eax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    xor %r10d, %r10d
    cmpb $1, hypercall_way(%rip)
    jb 1f
    je 2f
    vmcall
    ret
1:  mov $0x7ff0, %r10d          /* mmu_update has a fourth argument: DOMID_SELF */
    syscall
    ret
2:  vmmcall
    ret

/* void arch_switch(void **store, void *load) */
    .globl arch_switch
arch_switch:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff        /* 8: code, 64 bits */
    .quad 0x00cf92000000ffff        /* 16: data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .globl began_ticks
began_ticks:
    .skip 8
    .balign 4096
top:
    .skip 4096
upper:
    .skip 4096
middle_low:
    .skip 4096
middle_high:
    .skip 4096
    .skip STACK_BYTES
stack_end:
    .section .note.GNU-stack, "", @progbits
