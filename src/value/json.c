/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON writer. Records are written once per version and then cached, so what matters here is the
 * first writing after a change: one table look-up a character, whole runs copied, no printf but
 * for true fractions.
 */
#include "value/json.h"

#include "base/mem.h"
#include "value/number.h"

#define ERROR_PARAMS_MAX 32

/* What cannot stand in a JSON string as it is: 1 = \u00XX, else the letter after the backslash.
 * The terminating NUL is special too and ends the scan. */
static const char escape_of[256] = {
    [0 ... 7] = 1, ['\b'] = 'b', ['\t'] = 't',    ['\n'] = 'n', [11] = 1,
    ['\f'] = 'f',  ['\r'] = 'r', [14 ... 31] = 1, ['"'] = '"',  ['\\'] = '\\',
};

static void add_escape(struct str *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    if (escape_of[c] == 1) {
        char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

        str_add_mem(out, u, sizeof(u));
    } else {
        char e[2] = {'\\', escape_of[c]};

        str_add_mem(out, e, sizeof(e));
    }
}

static void add_escaped(struct str *out, const char *s)
{
    for (;;) {
        const char *run = s;

        while (!escape_of[(unsigned char)*s])
            s++;
        if (s > run)
            str_add_mem(out, run, (size_t)(s - run));
        if (!*s)
            return;
        add_escape(out, (unsigned char)*s++);
    }
}

void json_add_string(struct str *out, const char *s)
{
    str_add_char(out, '"');
    add_escaped(out, s);
    str_add_char(out, '"');
}

static void add_datetime_quoted(struct str *out, int64_t t)
{
    str_add_char(out, '"');
    datetime_add(out, t);
    str_add_char(out, '"');
}

void value_add_key(struct str *out, const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        str_add(out, *(const char *const *)p);
        break;
    case K_INT:
        str_add_int(out, *(const int64_t *)p);
        break;
    case K_FLOAT:
        number_add_float(out, *(const double *)p);
        break;
    case K_BOOL:
        str_add(out, *(const bool *)p ? "true" : "false");
        break;
    case K_DATETIME:
        datetime_add(out, *(const int64_t *)p);
        break;
    case K_ENUM:
        str_add(out, enum_text(t->en, *(const int *)p));
        break;
    default:
        break;
    }
}

static void add_key(struct str *out, const struct type *t, const void *p)
{
    if (t->kind == K_STRING || t->kind == K_SECRET || t->kind == K_REF) {
        json_add_string(out, *(const char *const *)p);
        return;
    }
    /* The other kinds hold nothing that needs an escape. */
    str_add_char(out, '"');
    value_add_key(out, t, p);
    str_add_char(out, '"');
}

static void add_set(struct str *out, const struct type *t, const struct set *s)
{
    const char *v = s->v;

    str_add_char(out, '[');
    for (size_t i = 0; i < s->n; i++, v += t->elem->size) {
        if (i)
            str_add_char(out, ',');
        json_add_value(out, t->elem, v);
    }
    str_add_char(out, ']');
}

static void add_map(struct str *out, const struct type *t, const struct map *m)
{
    const char *k = m->k;
    const char *v = m->v;

    str_add_char(out, '{');
    for (size_t i = 0; i < m->n; i++, k += t->key->size, v += t->elem->size) {
        if (i)
            str_add_char(out, ',');
        add_key(out, t->key, k);
        str_add_char(out, ':');
        json_add_value(out, t->elem, v);
    }
    str_add_char(out, '}');
}

static int append_dump(const char *p, size_t n, void *out)
{
    str_add_mem(out, p, n);
    return 0;
}

static void add_any(struct str *out, const json_t *j)
{
    /* Only memory could fail, and jansson's comes from the same allocator. */
    if (!j || json_dump_callback(j, append_dump, out, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
        str_lit(out, "null");
}

void json_add_value(struct str *out, const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        json_add_string(out, *(const char *const *)p);
        break;
    case K_INT:
        str_add_int(out, *(const int64_t *)p);
        break;
    case K_FLOAT:
        number_add_float_exact(out, *(const double *)p);
        break;
    case K_BOOL:
        str_add(out, *(const bool *)p ? "true" : "false");
        break;
    case K_DATETIME:
        add_datetime_quoted(out, *(const int64_t *)p);
        break;
    case K_ENUM:
        json_add_string(out, enum_text(t->en, *(const int *)p));
        break;
    case K_SET:
        add_set(out, t, p);
        break;
    case K_MAP:
        add_map(out, t, p);
        break;
    case K_OPTION:
        if (*(const void *const *)p)
            json_add_value(out, t->elem, *(const void *const *)p);
        else
            str_lit(out, "null");
        break;
    case K_RECORD:
        json_add_record(out, t->record, p, 0, FIELD_INTERNAL);
        break;
    case K_ANY:
        add_any(out, *(const json_t *const *)p);
        break;
    case K_VOID:
    case K_MAX:
        str_lit(out, "\"\"");
    }
}

static void add_member(struct str *out, char before, const struct field *f, const void *p)
{
    str_add_char(out, before);
    str_add_char(out, '"');
    str_add(out, f->name); /* an identifier: nothing to escape */
    str_lit(out, "\":");
    json_add_value(out, f->type, p);
}

static void end_record(struct str *out, char before)
{
    if (before == '{')
        str_add_char(out, '{');
    str_add_char(out, '}');
}

static bool left_out(const struct field *f, const void *p, uint32_t with, uint32_t without)
{
    if ((with && !(f->flags & with)) || (f->flags & without))
        return true;
    return f->type->kind == K_OPTION && !*(const void *const *)p;
}

void json_add_record(struct str *out, const struct struct_info *si, const void *rec, uint32_t with,
                     uint32_t without)
{
    char before = '{';

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        const void *p = field_at(f, rec);

        if (left_out(f, p, with, without))
            continue;
        add_member(out, before, f, p);
        before = ',';
    }
    end_record(out, before);
}

static bool is_implied(const struct struct_info *si, const struct field *f, const void *p)
{
    return value_is_zero(f->type, p) &&
           (!si->defaults || value_is_zero(f->type, field_at(f, si->defaults)));
}

void json_add_filled(struct str *out, const struct struct_info *si, const void *rec, uint32_t with)
{
    char before = '{';

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        const void *p = field_at(f, rec);

        if (!(f->flags & with) || is_implied(si, f, p))
            continue;
        add_member(out, before, f, p);
        before = ',';
    }
    end_record(out, before);
}

void json_add_stored(struct str *out, const struct struct_info *si, const void *rec)
{
    json_add_filled(out, si, rec, FIELD_STORED);
}

json_t *error_to_json(const struct error *e)
{
    json_t *params = json_array();

    for (int i = 0; i < e->n_params; i++) {
        json_t *text = json_string(e->params[i]);

        /* Names on a disk may be any bytes; the place of the others must not change. */
        json_array_append_new(params, text ? text : json_string("(not text)"));
    }
    return json_pack("{s:s, s:o}", "code", e->code, "params", params);
}

struct error *error_from_json(const json_t *j)
{
    const char *code = json_string_value(json_object_get(j, "code"));
    const json_t *params = json_object_get(j, "params");
    const char *texts[ERROR_PARAMS_MAX];
    int n = 0;

    if (!code)
        return NULL;
    for (size_t i = 0; i < json_array_size(params) && n < ERROR_PARAMS_MAX; i++) {
        const char *p = json_string_value(json_array_get(params, i));

        texts[n++] = p ? p : "";
    }
    return error_api_v(code, texts, n);
}
