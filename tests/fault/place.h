/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * From where a libc function was called, as a number: the calls on the stack, each counted once, so
 * that a recursion is one place however deep it is. The number is the same in each run of one
 * build, wherever its libraries are mapped.
 *
 * Any thread, in the middle of malloc: nothing here allocates or takes a lock.
 */

#include <stdbool.h>
#include <stdint.h>

#define PLACE_FRAMES 48

struct place {
    uint64_t number; /* never 0 */
    /* Return addresses in the program itself, innermost first, as addr2line wants them. */
    uint32_t n;
    uint64_t frames[PLACE_FRAMES];
};

/* Once, before the others: learns where the program and its libraries are. */
void place_init(void);

/* True: the address lies in a program or library whose path holds `part`. */
bool place_is_in(const void *address, const char *part);

/* Of the function that calls this library. */
void place_here(struct place *ret);
