/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Data sources: figures about an object under names. Until there is an archive of figures each is
 * read when it is asked for; recording one and forgetting its archive only checks the name.
 */

#include "base/arena.h"
#include "base/error.h"
#include "gen/class/data_source.h"
#include "gen/types.h"

void figures_add(struct arena *a, struct set_data_source_rec *s, const char *name,
                 const char *description, const char *units, double max, double value);
/* INVALID_VALUE [data_source, name] if there is none of that name. ret may be NULL. */
_must_check_ struct error *figures_find(const struct set_data_source_rec *s, const char *name,
                                        double *ret);
