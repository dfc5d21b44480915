/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for UEFI firmware: counts its starts in a variable, says "EFI START n by FIRMWARE", and
 * waits for a key: "r" reboots, "q" turns the machine off.
 *
 * Built without any library, as one section: numbers of members are those of the UEFI
 * specification's tables, chapters 4, 7, 8, 12.
 */
typedef unsigned long word;
typedef unsigned short letter;
typedef word __attribute__((ms_abi)) service();

#define SERVICE(table, n) ((service *)((void **)(table))[n])
/* of the system table */
#define VENDOR  3
#define INPUT   6
#define OUTPUT  8
#define RUNTIME 11
#define BOOT    12
/* of the services; each table begins with three words about itself, the consoles' do not */
#define READ_KEY     1
#define WRITE        1
#define GET_VARIABLE 9
#define SET_VARIABLE 11
#define RESET        13
#define STALL        31
#define SET_WATCHDOG 32
#define KEPT         7 /* attributes: not volatile, for programs and systems */

enum { COLD, WARM, OFF };

static const struct {
    unsigned a;
    unsigned short b, c;
    unsigned char d[8];
} ours = {0x58656e6f, 0x6c69, 0x4748, {0xb0, 0x0b, 0, 0, 0, 0, 0, 1}};

word __attribute__((ms_abi)) efi_main(void *image, void **system)
{
    void **run = system[RUNTIME], **boot = system[BOOT], **out = system[OUTPUT],
         **in = system[INPUT];
    letter number[] = L"0", key[2];
    unsigned char starts = 0;
    word size = sizeof(starts);

    SERVICE(boot, SET_WATCHDOG)(0L, 0L, 0L, (void *)0);
    SERVICE(run, GET_VARIABLE)(L"Starts", &ours, (void *)0, &size, &starts);
    starts++;
    SERVICE(run, SET_VARIABLE)(L"Starts", &ours, (word)KEPT, (word)sizeof(starts), &starts);
    number[0] += starts % 10;
    SERVICE(out, WRITE)(out, L"\r\nEFI START ");
    SERVICE(out, WRITE)(out, number);
    SERVICE(out, WRITE)(out, L" by ");
    SERVICE(out, WRITE)(out, system[VENDOR]);
    SERVICE(out, WRITE)(out, L"\r\n");
    for (;;) {
        key[1] = 0;
        if (!SERVICE(in, READ_KEY)(in, key) && (key[1] == 'r' || key[1] == 'q'))
            SERVICE(run, RESET)((word)(key[1] == 'r' ? COLD : OFF), 0L, 0L, (void *)0);
        SERVICE(boot, STALL)(100000L); /* microseconds */
    }
}
