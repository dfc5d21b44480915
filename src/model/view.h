/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a derive function may look at: the state a commit is about to create. Records are valid
 * during the call only. Derive functions are pure: same view, same answer; no clock, no I/O.
 */

#include "gen/classes.h"

#include <stdbool.h>

struct view;

/* NULL for an absent object and for null references. */
const void *view_find(const struct view *v, enum class_id class_id, const char *ref);

/*
 * The first row, roughly in order of creation, that match accepts (NULL = any); NULL = there is
 * none. Walks the class, so it is for classes of few rows: pool, SM, host.
 */
const void *view_search(const struct view *v, enum class_id class_id,
                        bool (*match)(const void *rec, const void *key), const void *key);
