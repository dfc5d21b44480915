/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a jansson tree to typed memory. The tree comes from a client or from disk; its depth is
 * bounded by the type it is read as.
 */
#include "value/json.h"

#include "value/number.h"

static const char *json_kind(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static struct error *wrong_kind(const char *what, const char *expected, const json_t *j)
{
    return error_detail(error_api("FIELD_TYPE_ERROR", 1, what), "%s: expected %s, not %s", what,
                        expected, j ? json_kind(j) : "nothing");
}

static struct error *wrong_text(const char *what, const char *expected, const char *text)
{
    return error_detail(error_api("FIELD_TYPE_ERROR", 1, what), "%s: expected %s, not \"%.80s\"",
                        what, expected, text);
}

static struct error *read_text(struct arena *a, const json_t *j, const char *what, void *ret)
{
    const char *s = json_string_value(j);

    if (!s)
        return wrong_kind(what, "a string", j);
    *(const char **)ret = *s ? arena_memdup0(a, s, json_string_length(j)) : "";
    return NULL;
}

static struct error *read_int(const json_t *j, const char *what, int64_t *ret)
{
    if (json_is_integer(j)) {
        *ret = json_integer_value(j);
        return NULL;
    }
    if (!json_is_string(j))
        return wrong_kind(what, "an integer", j);
    if (!number_parse_int(json_string_value(j), ret))
        return wrong_text(what, "an integer", json_string_value(j));
    return NULL;
}

static struct error *read_float(const json_t *j, const char *what, double *ret)
{
    if (json_is_number(j)) {
        *ret = json_number_value(j);
        return NULL;
    }
    if (!json_is_string(j))
        return wrong_kind(what, "a number", j);
    if (!number_parse_float(json_string_value(j), ret))
        return wrong_text(what, "a number", json_string_value(j));
    return NULL;
}

static struct error *read_bool(const json_t *j, const char *what, bool *ret)
{
    if (json_is_boolean(j)) {
        *ret = json_is_true(j);
        return NULL;
    }
    const char *s = json_string_value(j);

    if (!s)
        return wrong_kind(what, "a boolean", j);
    *ret = streq(s, "1") || streq(s, "true");
    return NULL;
}

static struct error *read_datetime(const json_t *j, const char *what, int64_t *ret)
{
    if (!json_is_string(j))
        return wrong_kind(what, "a date", j);
    struct error *e = datetime_parse(json_string_value(j), ret);

    if (!e)
        return NULL;
    error_free(e);
    return wrong_text(what, "a date like 20240131T12:34:56Z", json_string_value(j));
}

static struct error *read_enum(const struct type *t, const json_t *j, const char *what, int *ret)
{
    if (!json_is_string(j))
        return wrong_kind(what, t->en->name, j);
    int v = enum_find(t->en, json_string_value(j));

    if (v < 0)
        return wrong_text(what, t->en->name, json_string_value(j));
    *ret = v;
    return NULL;
}

static struct error *read_set(struct arena *a, const struct type *t, const json_t *j,
                              const char *what, struct set *ret)
{
    if (!json_is_array(j))
        return wrong_kind(what, "an array", j);
    size_t n = json_array_size(j);
    char *v = n ? arena_zalloc(a, n * t->elem->size) : NULL;

    for (size_t i = 0; i < n; i++)
        TRY(value_from_json(a, t->elem, json_array_get(j, i), what, v + i * t->elem->size));
    *ret = (struct set){.n = n, .v = v};
    return NULL;
}

/* Keys are text on the wire whatever their type. */
static struct error *read_key(struct arena *a, const struct type *t, const char *key,
                              const char *what, void *ret)
{
    if (t->kind == K_STRING || t->kind == K_SECRET || t->kind == K_REF) {
        *(const char **)ret = arena_strdup(a, key);
        return NULL;
    }
    _cleanup_json_ json_t *text = json_string(key);

    return value_from_json(a, t, text, what, ret);
}

static struct error *read_map(struct arena *a, const struct type *t, const json_t *j,
                              const char *what, struct map *ret)
{
    if (!json_is_object(j))
        return wrong_kind(what, "an object", j);
    size_t n = json_object_size(j);
    char *k = n ? arena_zalloc(a, n * t->key->size) : NULL;
    char *v = n ? arena_zalloc(a, n * t->elem->size) : NULL;
    size_t i = 0;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        TRY(read_key(a, t->key, key, what, k + i * t->key->size));
        TRY(value_from_json(a, t->elem, value, what, v + i * t->elem->size));
        i++;
    }
    *ret = (struct map){.n = n, .k = k, .v = v};
    return NULL;
}

static struct error *read_option(struct arena *a, const struct type *t, const json_t *j,
                                 const char *what, const void **ret)
{
    if (!j || json_is_null(j)) {
        *ret = NULL;
        return NULL;
    }
    void *p = arena_zalloc(a, t->elem->size);

    TRY(value_from_json(a, t->elem, j, what, p));
    *ret = p;
    return NULL;
}

static struct error *read_record(struct arena *a, const struct type *t, const json_t *j,
                                 const char *what, void *ret)
{
    if (!json_is_object(j))
        return wrong_kind(what, "an object", j);
    void *rec = record_new(a, t->record);

    TRY(record_from_json(a, t->record, j, rec, NULL));
    memcpy(ret, rec, t->record->size);
    return NULL;
}

struct error *value_from_json(struct arena *a, const struct type *t, const json_t *j,
                              const char *what, void *ret)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        return read_text(a, j, what, ret);
    case K_INT:
        return read_int(j, what, ret);
    case K_FLOAT:
        return read_float(j, what, ret);
    case K_BOOL:
        return read_bool(j, what, ret);
    case K_DATETIME:
        return read_datetime(j, what, ret);
    case K_ENUM:
        return read_enum(t, j, what, ret);
    case K_SET:
        return read_set(a, t, j, what, ret);
    case K_MAP:
        return read_map(a, t, j, what, ret);
    case K_OPTION:
        return read_option(a, t, j, what, ret);
    case K_RECORD:
        return read_record(a, t, j, what, ret);
    case K_ANY:
        *(const json_t **)ret = j;
        return NULL;
    case K_VOID:
    case K_MAX:
        break;
    }
    return NULL;
}

static void keep_unknown(const struct struct_info *si, const json_t *j, json_t *unknown)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        if (field_find(si, key) < 0)
            json_object_set(unknown, key, value);
    }
}

struct error *record_from_json(struct arena *a, const struct struct_info *si, const json_t *j,
                               void *rec, json_t *unknown)
{
    size_t known = 0;

    if (!json_is_object(j))
        return wrong_kind(si->name, "an object", j);
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];
        const json_t *member = json_object_get(j, f->name);

        if (!member)
            continue;
        known++;
        TRY(value_from_json(a, f->type, member, f->name, field_at_mut(f, rec)));
    }
    if (unknown && known < json_object_size(j))
        keep_unknown(si, j, unknown);
    return NULL;
}

const struct field *record_missing(const struct struct_info *si, const json_t *j)
{
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if ((f->flags & FIELD_REQUIRED) && !json_object_get(j, f->name))
            return f;
    }
    return NULL;
}

/* jansson recurses as deep as the text says, so depth is checked before it. */
static bool too_deep(const char *s, size_t len)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > VALUE_MAX_DEPTH)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

struct error *json_parse(const char *text, size_t len, json_t **ret)
{
    json_error_t where;

    if (too_deep(text, len))
        return error_text("malformed JSON: nested deeper than %d", VALUE_MAX_DEPTH);
    json_t *j = json_loadb(text, len, JSON_DECODE_ANY, &where);

    if (!j)
        return error_text("malformed JSON at line %d column %d: %s", where.line, where.column,
                          where.text);
    *ret = j;
    return NULL;
}
