/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest of a few hundred bytes that finds out whether KVM really runs guests. Carried inside the
 * program as data and started with -kernel (Multiboot specification 0.6.96, "a.out kludge").
 *
 * It does what every kernel does and broken or emulated KVM does not do in time: enters 64-bit mode
 * with paging, computes for about a tenth of a second of a real processor, takes timer interrupts
 * meanwhile. Then it says "64-bit ok" on the serial line and resets the machine.
 */
        .set    BASE, 0x100000          /* load address */
        .set    TABLES, 0x200000        /* page tables, three pages */
        .set    IDT, 0x210000
        .set    STACK, 0x220000
        .set    WORK, 0x230000
        .set    ROUNDS, 50000000
        .set    VECTOR, 0x20

        .section .rodata
        .balign 16
        .globl  kvm_probe_image
        .globl  kvm_probe_image_end
kvm_probe_image:
start:
        .long   0x1badb002              /* magic, flags (addresses given), checksum */
        .long   0x00010000
        .long   -(0x1badb002 + 0x00010000)
        .long   BASE, BASE, 0, 0, BASE + (entry - start)

        .balign 8
gdt:    .quad   0
        .quad   0x00af9a000000ffff      /* 64-bit code */
        .quad   0x00cf92000000ffff      /* data */
gdt_end:
gdt_pointer:
        .word   gdt_end - gdt - 1
        .long   BASE + (gdt - start)

        .code32
entry:  cli
        cld
        movl    $STACK, %esp
        movl    $TABLES, %edi           /* tables: one gigabyte as it is, in 2 MiB pages */
        xorl    %eax, %eax
        movl    $(3 * 4096 / 4), %ecx
        rep stosl
        movl    $(TABLES + 0x1003), TABLES
        movl    $(TABLES + 0x2003), TABLES + 0x1000
        movl    $0x83, %eax
        movl    $(TABLES + 0x2000), %edi
        movl    $512, %ecx
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    %cr4, %eax
        orl     $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    $TABLES, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       /* EFER.LME */
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax
        movl    %eax, %cr0
        lgdt    BASE + (gdt_pointer - start)
        ljmp    $8, $(BASE + (entry64 - start))

        .code64
entry64:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $STACK, %esp

        movl    $IDT, %edi              /* all gates but one absent: a fault resets silently */
        xorl    %eax, %eax
        movl    $(256 * 16 / 4), %ecx
        rep stosl
        leaq    tick(%rip), %rax
        movl    $(IDT + VECTOR * 16), %edi
        movw    %ax, (%rdi)
        movw    $8, 2(%rdi)
        movw    $0x8e00, 4(%rdi)
        shrq    $16, %rax
        movw    %ax, 6(%rdi)
        subq    $16, %rsp
        movw    $(256 * 16 - 1), (%rsp)
        movq    $IDT, 2(%rsp)
        lidt    (%rsp)

        movb    $0x11, %al              /* interrupt controllers: timer only, at VECTOR */
        outb    %al, $0x20
        outb    %al, $0xa0
        movb    $VECTOR, %al
        outb    %al, $0x21
        movb    $(VECTOR + 8), %al
        outb    %al, $0xa1
        movb    $4, %al
        outb    %al, $0x21
        movb    $2, %al
        outb    %al, $0xa1
        movb    $1, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        movb    $0xfe, %al
        outb    %al, $0x21
        movb    $0xff, %al
        outb    %al, $0xa1
        movb    $0x34, %al              /* 8254, channel 0: 100 a second */
        outb    %al, $0x43
        movw    $11932, %ax
        outb    %al, $0x40
        movb    %ah, %al
        outb    %al, $0x40
        xorl    %ebx, %ebx              /* ticks */
        sti

        movl    $ROUNDS, %ecx
        movl    $WORK, %edi
        movq    $0x9e3779b97f4a7c15, %rax
2:      rolq    $7, %rax
        xorq    %rcx, %rax
        movq    %rax, (%rdi)
        addq    (%rdi), %rdx
        decl    %ecx
        jnz     2b
3:      cmpl    $3, %ebx
        jae     4f
        hlt
        jmp     3b
4:      cli
        leaq    text(%rip), %rsi
        movw    $0x3f8, %dx
5:      lodsb
        testb   %al, %al
        jz      6f
        outb    %al, %dx
        jmp     5b
6:      movb    $0xfe, %al              /* keyboard controller: reset */
        outb    %al, $0x64
7:      hlt
        jmp     7b

tick:   pushq   %rax
        incl    %ebx
        movb    $0x20, %al
        outb    %al, $0x20
        popq    %rax
        iretq

text:   .asciz  "64-bit ok\n"
kvm_probe_image_end:
        .section .note.GNU-stack, "", @progbits
