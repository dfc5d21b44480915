/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/field.h"

#include "cli/field_source.h"
#include "value/type.h"

#include <strings.h>

#define NOT_IN_DATABASE "<not in database>"

void members_fini(struct members *m)
{
    vec_foreach (x, m) {
        free(x->key);
        free(x->text);
    }
    vec_fini(m);
}

/* Values. */

static const struct xe_word *words_of(const char *enum_name, size_t n)
{
    for (int i = 0; i < xe_words_n; i++)
        if (strlen(xe_words[i].name) == n && memcmp(xe_words[i].name, enum_name, n) == 0)
            return xe_words[i].words;
    return NULL;
}

static void add_enum(const char *name, size_t n, struct slice value, struct str *out)
{
    const struct xe_word *w = slice_is_string(value) ? words_of(name, n) : NULL;

    for (; w && w->api; w++) {
        if (strlen(w->api) == value.n - 2 && memcmp(w->api, value.p + 1, value.n - 2) == 0) {
            str_add(out, w->shown);
            return;
        }
    }
    slice_text(value, out);
}

const char *enum_from_text(const char *enum_name, const char *text)
{
    const struct xe_word *w = words_of(enum_name, strlen(enum_name));

    for (; w && w->api; w++)
        if (strcasecmp(w->shown, text) == 0 || strcasecmp(w->api, text) == 0)
            return w->api;
    return text;
}

static char *scalar_text(const char *type, struct slice value)
{
    _cleanup_str_ struct str out = STR_INIT;

    if (str_starts(type, "enum:")) {
        type += strlen("enum:");
        add_enum(type, strcspn(type, ":"), value, &out);
    } else if (str_starts(type, "float")) {
        _cleanup_str_ struct str number = STR_INIT;

        slice_text(value, &number);
        str_printf(&out, "%.3f", strtod(str_cstr(&number), NULL));
    } else {
        slice_text(value, &out);
    }
    return str_take(&out);
}

/* The type behind the key of "map:KEY:VALUE". */
static const char *value_type(const char *map)
{
    const char *key = map + strlen("map:");

    if (str_starts(key, "enum:"))
        key += strlen("enum:");
    return strchr(key, ':') + 1;
}

static struct error *ref_text(struct store *s, const char *type, struct slice value, char **ret)
{
    const char *cls = type + strlen("ref:");
    struct table *t = store_table(s, cls);
    const struct row *r;
    size_t uuid = table_want_late(t, "uuid");

    TRY(table_find(s, t, value, &r));
    *ret = r ? scalar_text("string", r->v[uuid]) : xstrdup(NOT_IN_DATABASE);
    return NULL;
}

static struct error *add_one(struct store *s, const char *type, struct slice value, char *key,
                             struct members *ret)
{
    char *text;

    if (str_starts(type, "ref:")) {
        struct error *e = ref_text(s, type, value, &text);

        if (e) {
            free(key);
            return e;
        }
    } else {
        text = scalar_text(type, value);
    }
    vec_add(ret, (struct member){key, text});
    return NULL;
}

/* A value of any type. Operations under way are a map by task, of which only the values count. */
struct error *value_members(struct store *s, const char *type, struct slice value,
                            struct members *ret)
{
    struct slice key, item;
    struct skim in;

    if (str_starts(type, "option:"))
        type += strlen("option:");
    if (str_starts(type, "set:")) {
        if (!skim_enter(value, &in))
            return NULL;
        while (skim_item(&in, &item))
            TRY(add_one(s, type + strlen("set:"), item, NULL, ret));
        return NULL;
    }
    if (!str_starts(type, "map:"))
        return add_one(s, type, value, NULL, ret);
    bool only_values = str_starts(type, "map:string:enum:");

    if (!skim_enter(value, &in))
        return NULL;
    while (skim_key(&in, &key) && skim_value(&in, &item)) {
        _cleanup_str_ struct str name = STR_INIT;

        slice_text((struct slice){key.p - 1, key.n + 2}, &name);
        TRY(add_one(s, value_type(type), item, only_values ? NULL : str_take(&name), ret));
    }
    return NULL;
}

/* Ways. */

void field_want(struct store *s, const char *cls, const struct xe_field *f)
{
    const struct xe_step *ways[] = {f->steps, f->also};

    if (f->source && str_starts(f->source, "@all:"))
        cls = f->source + strlen("@all:");
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const char *at = cls;

        for (const struct xe_step *step = ways[i]; step && at; step++) {
            table_want(store_table(s, at), step->name);
            at = step->cls;
        }
    }
}

static struct error *follow(struct store *s, struct table *t, const struct row *r,
                            const struct xe_field *f, const struct xe_step *step,
                            struct members *ret);

static struct error *follow_ref(struct store *s, struct slice ref, const struct xe_field *f,
                                const struct xe_step *step, struct members *ret)
{
    struct table *t = store_table(s, step->cls);
    const struct row *r = NULL;

    if (!slice_is(ref, "\"" REF_NULL "\""))
        TRY(table_find(s, t, ref, &r));
    if (r)
        return follow(s, t, r, f, step + 1, ret);
    vec_add(ret, (struct member){NULL, xstrdup(f->none ? f->none : NOT_IN_DATABASE)});
    return NULL;
}

static struct error *follow(struct store *s, struct table *t, const struct row *r,
                            const struct xe_field *f, const struct xe_step *step,
                            struct members *ret)
{
    struct slice value = r->v[table_want(t, step->name)], item;
    struct skim in;

    if (!step->cls)
        return value.n ? value_members(s, step == f->also ? "string" : f->type, value, ret) : NULL;
    if (!step->set)
        return follow_ref(s, value, f, step, ret);
    if (!skim_enter(value, &in))
        return NULL;
    while (skim_item(&in, &item))
        TRY(follow_ref(s, item, f, step, ret));
    return NULL;
}

struct error *field_members(struct store *s, struct table *t, const struct row *r,
                            const struct xe_field *f, struct members *ret)
{
    if (f->source)
        return source_members(s, t, r, f, ret);
    return follow(s, t, r, f, f->steps, ret);
}

/* Texts. */

static void join(const struct members *m, const char *separator, struct str *out)
{
    const char *between = "";

    vec_foreach (x, m) {
        str_add(out, between);
        if (x->key)
            str_printf(out, "%s: ", x->key);
        str_add(out, x->text);
        between = separator;
    }
}

/* Pairs of members of both ways. */
static void join_both(const struct members *m, const struct members *also, uint8_t style,
                      struct str *out)
{
    const char *between = "";

    for (size_t i = 0; i < m->n && i < also->n; i++) {
        if (style == XE_IF_TRUE && !streq(also->v[i].text, "true"))
            continue;
        str_printf(out, "%s%s", between, m->v[i].text);
        if (style != XE_IF_TRUE)
            str_printf(out, "%c%s", style == XE_SLASH ? '/' : '=', also->v[i].text);
        between = "; ";
    }
}

static void add_styled(const struct xe_field *f, const struct row *r, const struct members *m,
                       const struct members *also, struct str *out)
{
    const char *first = m->n ? m->v[0].text : "", *second = also->n ? also->v[0].text : "";

    switch (f->style) {
    case XE_SPEED:
        str_printf(out, streq(first, NOT_IN_DATABASE) ? "%s" : "%s Mbit/s", first);
        break;
    case XE_DUPLEX:
        if (streq(first, NOT_IN_DATABASE))
            str_add(out, first);
        else
            str_add(out, streq(first, "true")    ? "full"
                         : streq(second, "true") ? "half"
                                                 : "unknown");
        break;
    case XE_BY:
        str_printf(out, "%sx%s", first, second);
        break;
    case XE_QUOTED:
        str_printf(out, "'%s'", first);
        break;
    case XE_ONE:
        str_add(out, m->n == 0 ? NOT_IN_DATABASE : m->n == 1 ? first : "<shared>");
        break;
    case XE_IS_SELF:
        str_add(out, streq(first, r->ref) ? "true" : "false");
        break;
    case XE_FIXED1:
        str_printf(out, "%5.1f", strtod(first, NULL));
        break;
    case XE_LENGTHS:
        vec_foreach (x, m)
            str_printf(out, "%s%s:(%zu bytes)", x == m->v ? "" : "; ", x->key ? x->key : "",
                       strlen(x->text));
        break;
    case XE_SLASH:
    case XE_ASSIGN:
    case XE_IF_TRUE:
        join_both(m, also, f->style, out);
        break;
    default:
        join(m, f->style == XE_COMMA ? ", " : "; ", out);
        break;
    }
}

struct error *field_text(struct store *s, struct table *t, const struct row *r,
                         const struct xe_field *f, struct str *out)
{
    _cleanup_(members_fini) struct members m = {0};
    _cleanup_(members_fini) struct members also = {0};

    /* Most columns of long lists: a text or a truth of the row itself. */
    if (!f->source && !f->steps->cls && f->style == XE_PLAIN &&
        (streq(f->type, "string") || streq(f->type, "bool") || streq(f->type, "int"))) {
        slice_text(r->v[table_want(t, f->steps->name)], out);
        return NULL;
    }
    TRY(field_members(s, t, r, f, &m));
    if (f->also)
        TRY(follow(s, t, r, f, f->also, &also));
    add_styled(f, r, &m, &also, out);
    return NULL;
}

void field_label(const struct xe_field *f, struct str *out)
{
    static const char *const kinds[] = {
        [XE_RO] = " ( RO)",  [XE_RW] = " ( RW)",  [XE_SRO] = " (SRO)",          [XE_SRW] = " (SRW)",
        [XE_MRO] = " (MRO)", [XE_MRW] = " (MRW)", [XE_MRO_SETTABLE] = " (MRO)",
    };

    str_add(out, f->name);
    str_add(out, kinds[f->kind]);
    if (f->flags & XE_DEPRECATED_FIELD)
        str_add(out, " [DEPRECATED]");
}

const struct xe_class *xe_class_find(const char *name)
{
    for (int i = 0; i < xe_classes_n; i++)
        if (streq(xe_classes[i].name, name))
            return &xe_classes[i];
    return NULL;
}

const struct xe_field *xe_field_find(const struct xe_class *x, const char *name)
{
    for (int i = 0; i < x->n_fields; i++)
        if (streq(x->fields[i].name, name))
            return &x->fields[i];
    return NULL;
}
