/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/stored_form.h"

#include "value/json.h"

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
