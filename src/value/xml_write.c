/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML-RPC writer. Same cost model as json.c: runs copied whole, no printf but for fractions. */
#include "value/xml.h"

#include "value/number.h"

/*
 * What cannot stand in text as it is. Other control characters than tab, newline and return do not
 * exist in XML and are dropped, as are U+FFFE and U+FFFF (they begin with byte 0xef): one such
 * character would make a whole list of records unreadable. A return must be written as a reference,
 * because readers turn a plain one into a newline. The terminating NUL ends the scan.
 */
enum { PLAIN, DROP, LT, GT, AMP, QUOT, RETURN, LEAD_EF };

static const unsigned char class_of[256] = {
    [0 ... 8] = DROP, [11 ... 12] = DROP, ['\r'] = RETURN, [14 ... 31] = DROP, ['<'] = LT,
    ['>'] = GT,       ['&'] = AMP,        ['"'] = QUOT,    [0xef] = LEAD_EF,
};

static const char *const replacements[] = {
    [PLAIN] = "",    [DROP] = "",       [LT] = "&lt;",      [GT] = "&gt;",
    [AMP] = "&amp;", [QUOT] = "&quot;", [RETURN] = "&#13;", [LEAD_EF] = "\xef",
};

static bool is_noncharacter(const unsigned char *s)
{
    return s[0] == 0xef && s[1] == 0xbf && (s[2] == 0xbe || s[2] == 0xbf);
}

void xml_add_text(struct str *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    for (;;) {
        const unsigned char *run = s;

        while (class_of[*s] == PLAIN)
            s++;
        if (s > run)
            str_add_mem(out, run, (size_t)(s - run));
        if (!*s)
            return;
        if (is_noncharacter(s)) {
            s += 3;
            continue;
        }
        str_add(out, replacements[class_of[*s++]]);
    }
}

static void add_set(struct str *out, const struct type *t, const struct set *s)
{
    const char *v = s->v;

    str_lit(out, "<array><data>");
    for (size_t i = 0; i < s->n; i++, v += t->elem->size)
        xml_add_value(out, t->elem, v);
    str_lit(out, "</data></array>");
}

static void add_name(struct str *out, const struct type *t, const void *p)
{
    if (t->kind == K_STRING || t->kind == K_SECRET || t->kind == K_REF)
        xml_add_text(out, *(const char *const *)p);
    else
        value_add_key(out, t, p);
}

static void add_map(struct str *out, const struct type *t, const struct map *m)
{
    const char *k = m->k;
    const char *v = m->v;

    str_lit(out, "<struct>");
    for (size_t i = 0; i < m->n; i++, k += t->key->size, v += t->elem->size) {
        str_lit(out, "<member><name>");
        add_name(out, t->key, k);
        str_lit(out, "</name>");
        xml_add_value(out, t->elem, v);
        str_lit(out, "</member>");
    }
    str_lit(out, "</struct>");
}

static void add_fields(struct str *out, const struct struct_info *si, const void *rec)
{
    str_lit(out, "<struct>");
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        const void *p = field_at(f, rec);

        if (f->flags & FIELD_INTERNAL)
            continue;
        if (f->type->kind == K_OPTION && !*(const void *const *)p)
            continue;
        str_lit(out, "<member><name>");
        str_add(out, f->name); /* an identifier: nothing to escape */
        str_lit(out, "</name>");
        xml_add_value(out, f->type, p);
        str_lit(out, "</member>");
    }
    str_lit(out, "</struct>");
}

/* Opaque JSON, shaped like the typed values it could have been. */
static void add_any(struct str *out, json_t *j);

static void add_any_members(struct str *out, json_t *j)
{
    const char *key;
    json_t *value;

    str_lit(out, "<struct>");
    json_object_foreach (j, key, value) {
        str_lit(out, "<member><name>");
        xml_add_text(out, key);
        str_lit(out, "</name><value>");
        add_any(out, value);
        str_lit(out, "</value></member>");
    }
    str_lit(out, "</struct>");
}

static void add_any_items(struct str *out, const json_t *j)
{
    size_t i;
    json_t *item;

    str_lit(out, "<array><data>");
    json_array_foreach (j, i, item) {
        str_lit(out, "<value>");
        add_any(out, item);
        str_lit(out, "</value>");
    }
    str_lit(out, "</data></array>");
}

static void add_float(struct str *out, double v)
{
    str_lit(out, "<double>");
    number_add_float(out, v);
    str_lit(out, "</double>");
}

static void add_bool(struct str *out, bool v)
{
    str_add(out, v ? "<boolean>1</boolean>" : "<boolean>0</boolean>");
}

static void add_any(struct str *out, json_t *j)
{
    if (json_is_object(j))
        add_any_members(out, j);
    else if (json_is_array(j))
        add_any_items(out, j);
    else if (json_is_string(j))
        xml_add_text(out, json_string_value(j));
    else if (json_is_integer(j))
        str_add_int(out, json_integer_value(j));
    else if (json_is_real(j))
        add_float(out, json_real_value(j));
    else if (json_is_boolean(j))
        add_bool(out, json_is_true(j));
    else
        str_lit(out, "<nil/>");
}

static void add_option(struct str *out, const struct type *t, const void *inner);

/* What stands between <value> and </value>. */
static void add_inner(struct str *out, const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        xml_add_text(out, *(const char *const *)p);
        break;
    case K_INT:
        str_add_int(out, *(const int64_t *)p);
        break;
    case K_FLOAT:
        add_float(out, *(const double *)p);
        break;
    case K_BOOL:
        add_bool(out, *(const bool *)p);
        break;
    case K_DATETIME:
        str_lit(out, "<dateTime.iso8601>");
        datetime_add(out, *(const int64_t *)p);
        str_lit(out, "</dateTime.iso8601>");
        break;
    case K_ENUM:
        str_add(out, enum_text(t->en, *(const int *)p));
        break;
    case K_SET:
        add_set(out, t, p);
        break;
    case K_MAP:
        add_map(out, t, p);
        break;
    case K_OPTION:
        add_option(out, t, *(const void *const *)p);
        break;
    case K_RECORD:
        add_fields(out, t->record, p);
        break;
    case K_ANY:
        add_any(out, *(json_t *const *)p);
        break;
    case K_VOID:
    case K_MAX:
        break;
    }
}

static void add_option(struct str *out, const struct type *t, const void *inner)
{
    if (inner)
        add_inner(out, t->elem, inner);
    else
        str_lit(out, "<nil/>");
}

void xml_add_value(struct str *out, const struct type *t, const void *p)
{
    str_lit(out, "<value>");
    add_inner(out, t, p);
    str_lit(out, "</value>");
}

void xml_add_record(struct str *out, const struct struct_info *si, const void *rec)
{
    str_lit(out, "<value>");
    add_fields(out, si, rec);
    str_lit(out, "</value>");
}
