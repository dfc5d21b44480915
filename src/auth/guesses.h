/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How often a source may try passwords. Each has a bucket of GUESSES_AT_ONCE tries; a wrong
 * password takes one, and they come back slowly. Who has none left waits before the password is
 * even looked at: closing the connection early gains nothing. Other sources are not concerned.
 *
 * Any thread; one lock, held for a look-up.
 */

#include "base/cleanup.h"

#include <stdint.h>

#define GUESSES_AT_ONCE 100

struct guesses;

/* every_us: a try comes back; 0 = there is no limit. */
struct guesses *guesses_new(int64_t every_us);
void guesses_free(struct guesses *g);

/* Takes a try of the source (an address). Returns when the password may be looked at (mono_us),
 * behind those who wait already; 0 = at once. */
int64_t guess_take(struct guesses *g, const char *source);
/* The same, but takes none and returns false if it is not at once. */
bool guess_take_now(struct guesses *g, const char *source);
/* The password was right: gives it back. */
void guess_right(struct guesses *g, const char *source);
