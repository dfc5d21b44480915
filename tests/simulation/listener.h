/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A listener keeps a mirror by event.from and goes on with its token when the daemon went away. At
 * every token the mirror is compared with what was published up to there (history.h): what changed
 * since the token before, and everything after a restart.
 */

#include "simulation/client.h"

struct listener;

/* classes: NULL-terminated, as event.from spells them; "*" = all. Runs as a fiber of its own. */
struct listener *listener_start(const char *name, const char *const *classes);
/* Ends it at its next answer and waits for that. */
void listener_end(struct listener *l);
unsigned long listener_batches(const struct listener *l);
/* Until it has heard of everything that is published now. */
void listener_catch_up(struct listener *l);
/* The mirror is what get_all_records tells, class by class. After listener_catch_up, at rest. */
void listener_check(struct listener *l, struct client *c);
