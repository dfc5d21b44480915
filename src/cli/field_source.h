/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values of columns that are not in the row: answers to calls, current figures, other classes. */

#include "cli/field.h"

_must_check_ struct error *source_members(struct store *s, struct table *t, const struct row *r,
                                          const struct xe_field *f, struct members *ret);
/* A value of a schema type, taken apart. */
_must_check_ struct error *value_members(struct store *s, const char *type, struct slice value,
                                         struct members *ret);
