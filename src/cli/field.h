/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Columns of lists: what of a row they need and how it is shown. Values are followed through
 * references, members of sets and maps are taken apart for filters and joined for people.
 */

#include "cli/rows.h"
#include "gen/xe_tables.h"

struct member {
    char *key; /* of a map, else NULL */
    char *text;
};

struct members VEC(struct member);

void members_fini(struct members *m);

/* Says to the store what the field will need. */
void field_want(struct store *s, const char *cls, const struct xe_field *f);
/* The text shown; added to out. */
_must_check_ struct error *field_text(struct store *s, struct table *t, const struct row *r,
                                      const struct xe_field *f, struct str *out);
/* One member for a scalar. */
_must_check_ struct error *field_members(struct store *s, struct table *t, const struct row *r,
                                         const struct xe_field *f, struct members *ret);

/* "name ( RO)" */
void field_label(const struct xe_field *f, struct str *out);

static inline bool field_is_set(const struct xe_field *f)
{
    return f->kind == XE_SRO || f->kind == XE_SRW;
}
static inline bool field_is_map(const struct xe_field *f)
{
    return f->kind == XE_MRO || f->kind == XE_MRW || f->kind == XE_MRO_SETTABLE;
}

const struct xe_class *xe_class_find(const char *name);
/* NULL if the class has no such field. */
const struct xe_field *xe_field_find(const struct xe_class *x, const char *name);
/* What the API calls a value of an enum that is shown (or spelled by the API) so, in any case;
 * text itself if nothing fits. */
const char *enum_from_text(const char *enum_name, const char *text);
