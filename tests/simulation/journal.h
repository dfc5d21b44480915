/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What clients know for sure from answered calls: which objects exist, which are gone, and which
 * keys of a shared map hold. A call without an answer leaves doubt, and doubt proves nothing.
 */

#include "simulation/client.h"

enum thing_kind { THING_VM, THING_SNAPSHOT, THING_VDI, THING_VBD, THING_TASK, THING_KINDS };

struct thing {
    char ref[64];
    enum thing_kind kind;
    bool gone;
    unsigned doubt; /* calls that may have ended it */
};

/* A call answered with a new object / is about to end one / was answered so. */
struct thing *journal_made(enum thing_kind kind, const char *ref);
void journal_ending(struct thing *t);
void journal_ended(struct thing *t, const struct answer *a);
/* A random one that is not known to be gone, or NULL. */
struct thing *journal_any(enum thing_kind kind, struct chance *c);
size_t journal_count(enum thing_kind kind);

/* Keys of pool.other_config, each used once. */
void journal_key_adding(const char *key);
void journal_key_added(const char *key, const struct answer *a);
void journal_key_removing(const char *key);
void journal_key_removed(const char *key, const struct answer *a);

/* Everything that is sure is so. */
void journal_check(struct client *c);
