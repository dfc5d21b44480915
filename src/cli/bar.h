/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How far a transfer is, for a person at a terminal: share, amount, rate and time left, in one line
 * that is written over. One thread.
 */

#include "base/str.h"

#include <stdint.h>

struct bar {
    int64_t start_us;
    int64_t told_us; /* 0 = not yet */
};

void bar_init(struct bar *b, int64_t now_us);
/* The line, if it is time for one (five a second): false else. total <= 0: not known. */
bool bar_line(struct bar *b, int64_t now_us, int64_t done, int64_t total, struct str *out);
/* The last line, with what it took in all. */
void bar_end(const struct bar *b, int64_t now_us, int64_t done, struct str *out);
