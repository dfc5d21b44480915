/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The expression language of get_all_where:
 *     field "name__label" = "x" and not field "is_a_template" = "true"
 * `and` and `or` have equal precedence and associate to the left; `not` takes all that follows it:
 * `not A and B` is `not (A and B)`. `begins` in the place of `=` is ours: the left text begins with
 * the right one. Columns are database names and "_ref"; secrets and
 * internal fields have none.
 * Values compare as the strings a database of the XenAPI stores. Source: XenAPI query language
 * (docs/wire.md). Pure functions; a filter lives as long as its arena and serves any thread.
 */

#include "base/arena.h"
#include "base/error.h"
#include "value/value.h"

struct filter;

#define FILTER_MAX_LENGTH 16384
#define FILTER_MAX_NODES  1000
#define FILTER_MAX_DEPTH  64

/* INVALID_VALUE [expression, text] for what cannot be parsed; an unknown column too. */
_must_check_ struct error *filter_parse(struct arena *a, const char *expression,
                                        const struct struct_info *si, const struct filter **ret);
/* self: the object's reference, for the column "_ref". */
bool filter_match(const struct filter *f, const struct struct_info *si, const void *record,
                  const char *self);
