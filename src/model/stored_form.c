/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/stored_form.h"

#include "base/vec.h"
#include "value/json.h"
#include "value/number.h"

static void add_quoted(struct str *out, const struct type *t, const void *p)
{
    _cleanup_str_ struct str text = STR_INIT;

    stored_form_add(&text, t, p);
    str_add_char(out, '\'');
    for (const char *s = str_cstr(&text); *s; s++) {
        if (strchr("\\\"'", *s))
            str_add_char(out, '\\');
        str_add_char(out, *s);
    }
    str_add_char(out, '\'');
}

static void add_items(struct str *out, const struct type *t, const void *v, size_t n)
{
    str_add_char(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i)
            str_add_char(out, ' ');
        add_quoted(out, t, (const char *)v + i * t->size);
    }
    str_add_char(out, ')');
}

static void add_pairs(struct str *out, const struct type *t, const struct map *m)
{
    str_add_char(out, '(');
    for (size_t i = 0; i < m->n; i++) {
        str_add(out, i ? " (" : "(");
        add_quoted(out, t->key, (const char *)m->k + i * t->key->size);
        str_add_char(out, ' ');
        add_quoted(out, t->elem, (const char *)m->v + i * t->elem->size);
        str_add_char(out, ')');
    }
    str_add_char(out, ')');
}

void stored_form_add(struct str *out, const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_FLOAT:
        str_printf(out, "%.18g", *(const double *)p);
        break;
    case K_SET:
        add_items(out, t->elem, ((const struct set *)p)->v, ((const struct set *)p)->n);
        break;
    case K_MAP:
        add_pairs(out, t, p);
        break;
    case K_OPTION: {
        const void *inner = *(const void *const *)p;

        add_items(out, t->elem, inner, inner ? 1 : 0);
        break;
    }
    default:
        value_add_key(out, t, p);
    }
}

/* ---- reading ---- */

struct texts VEC(char *);

static struct error *expected(const char *what, const char *text)
{
    return error_text("expected %s, not \"%.80s\"", what, text);
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* Length of what stands in quotes, escapes included; -1 = there is no text in quotes. */
static ptrdiff_t quoted_length(const char *p)
{
    const char *start = p + 1;

    if (*p++ != '\'')
        return -1;
    while (*p && *p != '\'')
        p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p - start : -1;
}

/* A text in quotes, unescaped; NULL = there is none. */
static char *take_quoted(struct arena *a, const char **at)
{
    ptrdiff_t length = quoted_length(*at);

    if (length < 0)
        return NULL;
    const char *p = *at + 1, *end = p + length;
    char *out = arena_alloc(a, (size_t)length + 1);
    size_t n = 0;

    for (; p < end; p++) {
        if (*p == '\\')
            p++;
        out[n++] = *p;
    }
    out[n] = 0;
    *at = end + 1;
    return out;
}

/* ( ... ): items up to the closing parenthesis; false = it is no list. */
static bool take_list(struct arena *a, const char **at, struct texts *ret,
                      bool (*take)(struct arena *a, const char **at, struct texts *ret))
{
    const char *p = skip_space(*at);

    if (*p++ != '(')
        return false;
    for (p = skip_space(p); *p != ')'; p = skip_space(p)) {
        if (!take(a, &p, ret))
            return false;
    }
    *at = p + 1;
    return true;
}

static bool take_item(struct arena *a, const char **at, struct texts *ret)
{
    char *item = take_quoted(a, at);

    if (item)
        vec_add(ret, item);
    return item != NULL;
}

/* ('a' 'b') */
static bool take_items(struct arena *a, const char **at, struct texts *ret)
{
    return take_list(a, at, ret, take_item);
}

static bool take_pair(struct arena *a, const char **at, struct texts *ret)
{
    size_t before = ret->n;

    return take_items(a, at, ret) && ret->n == before + 2;
}

/* (('k' 'v') ('l' 'w')): keys and values in turn. */
static bool take_pairs(struct arena *a, const char **at, struct texts *ret)
{
    return take_list(a, at, ret, take_pair);
}

static struct error *read_items(struct arena *a, const struct type *t, const struct texts *from,
                                size_t first, size_t step, const void **ret, size_t *ret_n)
{
    size_t n = from->n / step;
    char *v = arena_zalloc(a, n * t->size + 1);

    for (size_t i = 0; i < n; i++)
        TRY(stored_form_read(a, t, from->v[i * step + first], v + i * t->size));
    *ret = n ? v : NULL;
    *ret_n = n;
    return NULL;
}

static struct error *read_set(struct arena *a, const struct type *t, const struct texts *items,
                              void *ret)
{
    struct set *s = ret;

    return read_items(a, t->elem, items, 0, 1, &s->v, &s->n);
}

static struct error *read_map(struct arena *a, const struct type *t, const struct texts *items,
                              void *ret)
{
    struct map *m = ret;

    TRY(read_items(a, t->key, items, 0, 2, &m->k, &m->n));
    return read_items(a, t->elem, items, 1, 2, &m->v, &m->n);
}

static struct error *read_option(struct arena *a, const struct type *t, const struct texts *items,
                                 void *ret)
{
    size_t n;

    if (items->n > 1)
        return error_text("expected one value or none");
    return read_items(a, t->elem, items, 0, 1, ret, &n);
}

static struct error *read_list(struct arena *a, const struct type *t, const char *text, void *ret)
{
    bool map = t->kind == K_MAP;
    struct texts items = {0};
    const char *p = text;
    bool whole = (map ? take_pairs(a, &p, &items) : take_items(a, &p, &items)) && !*skip_space(p);
    struct error *e;

    if (!whole)
        e = expected(map ? "(('key' 'value') ...)" : "('value' ...)", text);
    else if (map)
        e = read_map(a, t, &items, ret);
    else if (t->kind == K_SET)
        e = read_set(a, t, &items, ret);
    else
        e = read_option(a, t, &items, ret);
    vec_fini(&items);
    return e;
}

static struct error *read_bool(const char *text, bool *ret)
{
    *ret = streq(text, "true");
    return *ret || streq(text, "false") ? NULL : expected("true or false", text);
}

static struct error *read_enum(const struct enum_info *en, const char *text, int *ret)
{
    int v = enum_find(en, text);

    if (v < 0)
        return expected(en->name, text);
    *ret = v;
    return NULL;
}

struct error *stored_form_read(struct arena *a, const struct type *t, const char *text, void *ret)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
        *(const char **)ret = arena_strdup(a, text);
        return NULL;
    case K_REF:
        *(const char **)ret = *text ? arena_strdup(a, text) : REF_NULL;
        return NULL;
    case K_INT:
        return number_parse_int(text, ret) ? NULL : expected("a whole number", text);
    case K_FLOAT:
        return number_parse_float(text, ret) ? NULL : expected("a number", text);
    case K_BOOL:
        return read_bool(text, ret);
    case K_DATETIME:
        return datetime_parse(text, ret);
    case K_ENUM:
        return read_enum(t->en, text, ret);
    case K_SET:
    case K_MAP:
    case K_OPTION:
        return read_list(a, t, text, ret);
    default:
        return error_text("such values are not stored");
    }
}
