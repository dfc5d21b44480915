/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading what store_write_soft wrote, for load.c, before other threads know the store. Texts
 * belong to the JSON. */

#include "model/store.h"

struct soft_object {
    enum class_id class_id;
    const char *ref;
    uint64_t stamp;
    uint64_t created_stamp;
    const json_t *fields; /* NULL = none */
};

_must_check_ struct error *soft_read_object(const json_t *j, struct soft_object *ret);
/* Epoch and stamp: the new run goes on counting. */
void soft_read_head(struct store *s, const json_t *soft);
/* Deletions as listeners know them, before those the database knows in addition. */
void soft_read_tombstones(struct store *s, const json_t *soft);
