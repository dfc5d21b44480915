/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* C-param-get, -set, -add, -remove and -clear of every class. */
#include "cli/filter.h"
#include "cli/lists.h"

/* An object and one of its fields. */
struct object {
    struct store store;
    struct table *table;
    const struct row *row;
    const struct xe_field *field;
};

static void object_fini(struct object *o)
{
    if (o->table)
        store_fini(&o->store);
}

static struct error *object_find(struct xe *x, const struct xe_class *c, struct object *o)
{
    _cleanup_free_ char *ref = NULL;

    TRY(ref_of(&x->client, c->api, word_or(x, "uuid", ""), &ref));
    store_init(&o->store, &x->client);
    o->table = store_table(&o->store, c->api);
    field_want(&o->store, c->api, o->field);
    return table_load_one(&o->store, o->table, ref, &o->row);
}

/* By the word param-name. */
static struct error *object_of_name(struct xe *x, const struct xe_class *c, struct object *o)
{
    const char *name = word_or(x, "param-name", "");

    o->field = xe_field_find(c, name);
    if (!o->field)
        return fail_code("Missing parameter", name);
    return object_find(x, c, o);
}

struct error *param_get(struct xe *x, const struct xe_class *c)
{
    _cleanup_(object_fini) struct object o = {0};
    _cleanup_(members_fini) struct members m = {0};
    _cleanup_str_ struct str text = STR_INIT;
    const char *key = words_find(&x->words, "param-key");

    TRY(object_of_name(x, c, &o));
    if (!key || !field_is_map(o.field)) {
        TRY(field_text(&o.store, o.table, o.row, o.field, &text));
        print_line(&x->printer, str_cstr(&text));
        return NULL;
    }
    TRY(field_members(&o.store, o.table, o.row, o.field, &m));
    vec_foreach (member, &m) {
        if (member->key && streq(member->key, key)) {
            print_line(&x->printer, member->text);
            return NULL;
        }
    }
    return error_text("Key %s not found in map", key);
}

/* The last step of "VM.uuid" when what it leads through is set by reference. */
static bool is_reference(const struct xe_field *f)
{
    return f->steps && f->steps[0].cls && !f->source;
}

static struct error *number_value(const struct xe_field *f, const char *text, json_t **ret)
{
    int64_t number;
    char *end;

    if (streq(f->type, "float")) {
        double d = strtod(text, &end);

        if (end == text || *end)
            return error_text("Parameter %s must be a floating-point number", f->name);
        *ret = json_real(d);
        return NULL;
    }
    TRY(size_parse(f->name, text, &number));
    *ret = json_integer(number);
    return NULL;
}

static struct error *list_value(const struct xe_field *f, const char *text, json_t **ret)
{
    bool numbers = streq(f->type, "set:int");

    *ret = json_array();
    for (const char *p = text; *text && p;) {
        const char *comma = strchr(p, ',');
        size_t n = comma ? (size_t)(comma - p) : strlen(p);

        json_array_append_new(*ret,
                              numbers ? json_integer(strtoll(p, NULL, 10)) : json_stringn(p, n));
        p = comma ? comma + 1 : NULL;
    }
    return NULL;
}

/* Uuids, separated by commas. */
static struct error *refs_value(struct xe *x, const struct xe_field *f, const char *text,
                                json_t **ret)
{
    _cleanup_json_ json_t *list = json_array();

    for (const char *p = text; *text && p;) {
        const char *comma = strchr(p, ',');
        _cleanup_free_ char *uuid = xmemdup0(p, comma ? (size_t)(comma - p) : strlen(p));
        _cleanup_free_ char *ref = NULL;

        TRY(ref_of(&x->client, f->steps[0].cls, uuid, &ref));
        json_array_append_new(list, json_string(ref));
        p = comma ? comma + 1 : NULL;
    }
    *ret = TAKE_PTR(list);
    return NULL;
}

/* What a setter takes, from the text given. */
static struct error *value_of_text(struct xe *x, const struct xe_field *f, const char *text,
                                   json_t **ret)
{
    bool on;

    if (is_reference(f) && !f->steps[0].set) {
        _cleanup_free_ char *ref = NULL;

        if (*text)
            TRY(ref_of(&x->client, f->steps[0].cls, text, &ref));
        *ret = json_string(ref ? ref : REF_NULL);
        return NULL;
    }
    if (is_reference(f))
        return refs_value(x, f, text, ret);
    if (streq(f->type, "int") || streq(f->type, "float"))
        return number_value(f, text, ret);
    if (streq(f->type, "bool")) {
        TRY(bool_parse(f->name, text, &on));
        *ret = json_boolean(on);
        return NULL;
    }
    if (str_starts(f->type, "set:"))
        return list_value(f, text, ret);
    if (str_starts(f->type, "enum:"))
        text = enum_from_text(f->type + strlen("enum:"), text);
    *ret = json_string(text);
    return *ret ? NULL : error_text("a parameter is not UTF-8");
}

static struct error *set_field(struct xe *x, const struct xe_class *c, const struct xe_field *f,
                               const char *text)
{
    _cleanup_(object_fini) struct object o = {.field = f};
    json_t *value = NULL;
    bool members = field_is_map(f) || field_is_set(f);

    if (f->set && (!members || (f->flags & XE_SETTABLE))) {
        TRY(object_find(x, c, &o));
        TRY(value_of_text(x, f, text, &value));
        return call(&x->client, NULL, f->set, "so", o.row->ref, value);
    }
    if (field_is_map(f) && (f->add || f->set))
        return error_text("Field '%s' is a map or set. use the 'name:key=value' syntax.", f->name);
    return error_text("Field '%s' is read-only.", f->name);
}

static bool has_key(const struct members *m, const char *key)
{
    vec_foreach (member, m)
        if (member->key ? streq(member->key, key) : streq(member->text, key))
            return true;
    return false;
}

/* The whole map with one more key, for fields that are only set whole. */
static struct error *set_whole_map(struct xe *x, const struct object *o, const struct members *m,
                                   const char *key, const char *value)
{
    json_t *map = json_object();

    vec_foreach (member, m)
        json_object_set_new(map, member->key, json_string(member->text));
    json_object_set_new(map, key, json_string(value));
    return call(&x->client, NULL, o->field->set, "so", o->row->ref, map);
}

static struct error *set_map_key(struct xe *x, const struct xe_class *c, const struct filter *f)
{
    _cleanup_(object_fini) struct object o = {.field = f->field};
    _cleanup_(members_fini) struct members m = {0};
    size_t n = f->field->set ? strlen(f->field->set) : 0;

    TRY(object_find(x, c, &o));
    if (f->field->kind == XE_MRO_SETTABLE && n) {
        if (strstr(f->field->set, ".set_property"))
            return call(&x->client, NULL, f->field->set, "sss", o.row->ref, f->key, f->value);
        TRY(field_members(&o.store, o.table, o.row, o.field, &m));
        return set_whole_map(x, &o, &m, f->key, f->value);
    }
    if (!f->field->add || !f->field->remove)
        return error_text("Map field '%s' is read-only.", f->field->name);
    TRY(field_members(&o.store, o.table, o.row, o.field, &m));
    if (has_key(&m, f->key))
        TRY(call(&x->client, NULL, f->field->remove, "ss", o.row->ref, f->key));
    return call(&x->client, NULL, f->field->add, "sss", o.row->ref, f->key, f->value);
}

struct error *param_set(struct xe *x, const struct xe_class *c)
{
    vec_foreach (word, &x->words) {
        struct filter f;

        if (streq(word->key, "uuid") || word_is_standard(word->key))
            continue;
        filter_resolve(c, word->key, &f);
        f.value = word->value;
        if (f.problem == FILTER_UNKNOWN_FIELD)
            return error_text("Unknown field '%s'", word->key);
        if (f.problem == FILTER_NO_MEMBERS)
            return filter_problem(&f);
        if (f.kind == FILTER_SET)
            return error_text("Cannot param-set on set fields");
        if (f.kind == FILTER_MAP)
            TRY(set_map_key(x, c, &f));
        else
            TRY(set_field(x, c, f.field, word->value));
    }
    return NULL;
}

static struct error *add_pairs(struct xe *x, const struct object *o)
{
    vec_foreach (word, &x->words) {
        if (streq(word->key, "uuid") || streq(word->key, "param-name") ||
            streq(word->key, "param-key") || word_is_standard(word->key))
            continue;
        TRY(call(&x->client, NULL, o->field->add, "sss", o->row->ref, word->key, word->value));
    }
    return NULL;
}

static bool is_set_whole(const struct xe_field *f)
{
    return f->kind == XE_SRW && f->set;
}

/* The set without a member, and with another one (each may be NULL), where it is only set whole. */
static struct error *set_whole_set(struct xe *x, const struct object *o, const struct members *m,
                                   const char *without, const char *with)
{
    _cleanup_str_ struct str text = STR_INIT;
    json_t *value = NULL;

    vec_foreach (member, m)
        if (!without || !streq(member->text, without))
            str_printf(&text, "%s%s", text.len ? "," : "", member->text);
    if (with && !has_key(m, with))
        str_printf(&text, "%s%s", text.len ? "," : "", with);
    TRY(value_of_text(x, o->field, str_cstr(&text), &value));
    return call(&x->client, NULL, o->field->set, "so", o->row->ref, value);
}

struct error *param_add(struct xe *x, const struct xe_class *c)
{
    _cleanup_(object_fini) struct object o = {0};
    _cleanup_(members_fini) struct members m = {0};
    const char *key = words_find(&x->words, "param-key");

    TRY(object_of_name(x, c, &o));
    if (!field_is_set(o.field) && !field_is_map(o.field))
        return error_text("Can only add to parameters of type Set or Map");
    if (!o.field->add && !is_set_whole(o.field))
        return error_text("Parameter is read-only");
    if (field_is_map(o.field))
        return add_pairs(x, &o);
    if (!key)
        return error_text("When adding a key to a set, use the syntax: *-param-add "
                          "param-name=<name> param-key=<key>");
    if (!o.field->add) {
        TRY(field_members(&o.store, o.table, o.row, o.field, &m));
        return set_whole_set(x, &o, &m, NULL, key);
    }
    return call(&x->client, NULL, o.field->add, "ss", o.row->ref, key);
}

struct error *param_remove(struct xe *x, const struct xe_class *c)
{
    _cleanup_(object_fini) struct object o = {0};
    _cleanup_(members_fini) struct members m = {0};
    const char *key = word_or(x, "param-key", "");

    TRY(object_of_name(x, c, &o));
    if (!field_is_set(o.field) && !field_is_map(o.field))
        return error_text("Can only remove from parameters of type Set or Map");
    if (!o.field->remove && !is_set_whole(o.field))
        return error_text("Cannot remove parameters from read-only map");
    TRY(field_members(&o.store, o.table, o.row, o.field, &m));
    if (!has_key(&m, key))
        return error_text(
            field_is_set(o.field) ? "Key %s is not in the set" : "Key %s is not in map", key);
    if (!o.field->remove)
        return set_whole_set(x, &o, &m, key, NULL);
    return call(&x->client, NULL, o.field->remove, "ss", o.row->ref, key);
}

static struct error *clear_members(struct xe *x, struct object *o)
{
    _cleanup_(members_fini) struct members m = {0};

    TRY(field_members(&o->store, o->table, o->row, o->field, &m));
    vec_foreach (member, &m)
        if (member->key || field_is_set(o->field))
            TRY(call(&x->client, NULL, o->field->remove, "ss", o->row->ref,
                     member->key ? member->key : member->text));
    return NULL;
}

struct error *param_clear(struct xe *x, const struct xe_class *c)
{
    _cleanup_(object_fini) struct object o = {0};

    TRY(object_of_name(x, c, &o));
    if (field_is_set(o.field) || field_is_map(o.field)) {
        if (o.field->remove)
            return clear_members(x, &o);
        if (is_set_whole(o.field))
            return call(&x->client, NULL, o.field->set, "so", o.row->ref, json_array());
        if (o.field->kind == XE_MRO_SETTABLE && o.field->set &&
            !strstr(o.field->set, ".set_property"))
            return call(&x->client, NULL, o.field->set, "so", o.row->ref, json_object());
    }
    if (!o.field->set)
        return error_text("Can only clear RW parameters");
    _cleanup_error_ struct error *e = set_field(x, c, o.field, "");

    return e ? error_text("Cannot clear this parameter") : NULL;
}
