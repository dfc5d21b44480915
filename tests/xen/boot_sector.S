/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine of 512 bytes, loaded by a BIOS at 0x7c00. It fills sectors 8 and 9 of its first three disks with their numbers (disk
 * in the low byte, sector in the high one), then says BOOTED on the first serial line again and again. It turns itself off by its
 * power management when it is told "q" there, or by its power button, unless it was told "i".
 *
 * So few sectors since each word of them is a way through Xen to the device model, and slow where all that is emulated.
 */
.code16
.globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    cld
    movb $0x80, %dl             # the first disk
disk:
    movw $8, %bp
sector:
    movw $0x8000, %di
    movw $256, %cx
    movw %bp, %ax
    movb %al, %ah
    movb %dl, %al
    rep stosw
    movw $packet, %si
    movw %bp, 8(%si)
    movw $0x4300, %ax           # extended write
    int $0x13
    jc next                     # there is no such disk
    incw %bp
    cmpw $10, %bp
    jb sector
next:
    incb %dl
    cmpb $0x83, %dl
    jb disk

again:
    movw $booted, %si
    call say
    movw $0x3fd, %dx
    inb %dx, %al
    testb $1, %al
    jz button
    movw $0x3f8, %dx
    inb %dx, %al
    cmpb $'q', %al
    je off
    cmpb $'i', %al
    jne button
    movb $1, deaf
button:
    movw $0xb000, %dx           # PM1a status; bit 8: the power button was pressed
    inw %dx, %ax
    testb $1, %ah
    jz pause
    movw $0x100, %ax            # noticed
    outw %ax, %dx
    movw $pressed, %si
    call say
    cmpb $0, deaf
    jne pause
off:
    movw $0xb004, %dx           # PM1a control: S5
    movw $0x2000, %ax
    outw %ax, %dx
pause:
    movb $0x86, %ah             # for half a second
    movw $7, %cx
    xorw %dx, %dx
    int $0x15
    jmp again

say:
    lodsb
    testb %al, %al
    jz said
    movw $0x3f8, %dx
    outb %al, %dx
    jmp say
said:
    ret

deaf:
    .byte 0
.balign 4
packet:                         # for int 0x13: size, sectors, buffer, first sector
    .byte 16, 0
    .word 1, 0x8000, 0, 0, 0, 0, 0
booted:
    .asciz "BOOTED\r\n"
pressed:
    .asciz "BUTTON\r\n"
.org 510
    .word 0xaa55
