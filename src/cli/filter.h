/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * "field=value" on the command line: which rows are meant. Maps are asked by "map:key=value" (also
 * "map-key=value"), sets by "set:contains=member". Values are compared as they are shown.
 */

#include "cli/field.h"
#include "cli/words.h"

enum filter_kind { FILTER_PLAIN, FILTER_MAP, FILTER_SET };
/* Why a filter cannot be used; told when the first row meets it. */
enum filter_problem { FILTER_GOOD, FILTER_UNKNOWN_FIELD, FILTER_NO_MEMBERS, FILTER_BAD_SET };

struct filter {
    const struct xe_field *field; /* NULL: there is no such field */
    enum filter_kind kind;
    const char *name; /* as given */
    const char *key;  /* of the map */
    const char *value;
    enum filter_problem problem;
};

struct filters VEC(struct filter);

/* What a name means: field, kind and key. */
void filter_resolve(const struct xe_class *x, const char *name, struct filter *ret);
/* NULL if it can be used. */
_must_check_ struct error *filter_problem(const struct filter *f);
/* Takes the words that are neither standard nor among `except` (NULL-terminated lists of the
 * names of parameters; ":" at their end is not looked at). Words are borrowed. */
void filters_take(struct filters *fs, const struct xe_class *x, const struct words *w,
                  const char *const *const except[], size_t n_except);
void filters_want(struct store *s, const char *cls, const struct filters *fs);
/* Before anything is matched: NULL if all of them can be used. */
_must_check_ struct error *filters_check(const struct filters *fs);
_must_check_ struct error *filters_match(struct store *s, struct table *t, const struct row *r,
                                         const struct filters *fs, bool *ret);
/* The conditions a class always has for its list. */
void where_want(struct store *s, const struct xe_class *x);
bool where_match(struct table *t, const struct row *r, const struct xe_class *x);
