/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/filter.h"

#include "cli/failure.h"

#include <strings.h>

/* The field whose name the word begins with, the longest one; `map`: among maps, else sets. */
static const struct xe_field *longest(const struct xe_class *x, const char *name, bool map)
{
    const struct xe_field *best = NULL;
    size_t best_n = 0;

    for (int i = 0; i < x->n_fields; i++) {
        const struct xe_field *f = &x->fields[i];
        size_t n = strlen(f->name);

        if ((map ? field_is_map(f) : field_is_set(f)) && n > best_n && str_starts(name, f->name) &&
            name[n] == '-') {
            best = f;
            best_n = n;
        }
    }
    return best;
}

void filter_resolve(const struct xe_class *x, const char *name, struct filter *ret)
{
    const char *colon = strchr(name, ':');

    *ret = (struct filter){.name = name, .field = xe_field_find(x, name)};
    if (ret->field)
        return;
    if (colon) {
        _cleanup_free_ char *first = xmemdup0(name, (size_t)(colon - name));

        ret->field = xe_field_find(x, first);
    } else {
        ret->field = longest(x, name, true);
        if (!ret->field)
            ret->field = longest(x, name, false);
    }
    if (!ret->field) {
        ret->problem = FILTER_UNKNOWN_FIELD;
        return;
    }
    ret->key = name + strlen(ret->field->name) + 1;
    ret->kind = field_is_set(ret->field) ? FILTER_SET : FILTER_MAP;
    if (ret->kind == FILTER_MAP && !field_is_map(ret->field))
        ret->problem = FILTER_NO_MEMBERS;
    else if (ret->kind == FILTER_SET && !streq(ret->key, "contains"))
        ret->problem = FILTER_BAD_SET;
}

/* Does the word belong to the parameter? "device-config:" takes "device-config:x" too. */
static bool is_parameter(const char *word, const char *name)
{
    size_t n = strlen(name);

    if (n && name[n - 1] == ':')
        n--;
    return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == ':');
}

void filters_take(struct filters *fs, const struct xe_class *x, const struct words *w,
                  const char *const *const except[], size_t n_except)
{
    vec_foreach (word, w) {
        bool skip = word_is_standard(word->key);

        for (size_t i = 0; i < n_except && !skip; i++)
            for (const char *const *name = except[i]; *name && !skip; name++)
                skip = is_parameter(word->key, *name);
        if (skip)
            continue;
        struct filter f;

        filter_resolve(x, word->key, &f);
        f.value = word->value;
        vec_add(fs, f);
    }
}

void filters_want(struct store *s, const char *cls, const struct filters *fs)
{
    vec_foreach (f, fs)
        if (f->field)
            field_want(s, cls, f->field);
}

static bool same(const struct filter *f, const char *a, const char *b)
{
    return f->field->flags & XE_ANY_CASE ? strcasecmp(a, b) == 0 : streq(a, b);
}

static struct error *matches(struct store *s, struct table *t, const struct row *r,
                             const struct filter *f, bool *ret)
{
    _cleanup_(members_fini) struct members m = {0};
    _cleanup_str_ struct str text = STR_INIT;

    *ret = false;
    if (f->kind == FILTER_PLAIN) {
        TRY(field_text(s, t, r, f->field, &text));
        *ret = same(f, str_cstr(&text), f->value);
        return NULL;
    }
    TRY(field_members(s, t, r, f->field, &m));
    vec_foreach (x, &m) {
        bool here = f->kind == FILTER_SET || (x->key && streq(x->key, f->key));

        if (here && same(f, x->text, f->value))
            *ret = true;
    }
    return NULL;
}

struct error *filter_problem(const struct filter *f)
{
    switch (f->problem) {
    case FILTER_UNKNOWN_FIELD:
        return fail_code("Missing parameter", f->name);
    case FILTER_NO_MEMBERS:
        return error_text("Field '%s' is not a set or map", f->field->name);
    case FILTER_BAD_SET:
        return error_text("Invalid syntax for set filtering (should be set-param:contains=key)");
    default:
        return NULL;
    }
}

struct error *filters_check(const struct filters *fs)
{
    vec_foreach (f, fs)
        TRY(filter_problem(f));
    return NULL;
}

struct error *filters_match(struct store *s, struct table *t, const struct row *r,
                            const struct filters *fs, bool *ret)
{
    *ret = true;
    vec_foreach (f, fs) {
        TRY(matches(s, t, r, f, ret));
        if (!*ret)
            return NULL;
    }
    return NULL;
}

void where_want(struct store *s, const struct xe_class *x)
{
    for (int i = 0; i < x->n_where; i++)
        table_want(store_table(s, x->api), x->where[i].field);
}

bool where_match(struct table *t, const struct row *r, const struct xe_class *x)
{
    for (int i = 0; i < x->n_where; i++) {
        struct slice value = r->v[table_want(t, x->where[i].field)];

        if (streq(x->where[i].value, "*") ? slice_is(value, "[]")
                                          : !slice_is(value, x->where[i].value))
            return false;
    }
    return true;
}
