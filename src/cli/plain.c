/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/plain.h"

#include "cli/field.h"
#include "cli/field_source.h"
#include "cli/select.h"

/* "word:kind=default" taken apart. */
struct arg {
    char *word;
    char *kind;
    const char *fallback; /* NULL = none */
};

static void arg_fini(struct arg *a)
{
    free(a->word);
    free(a->kind);
}

static void arg_read(const char *text, struct arg *ret)
{
    const char *colon = strchr(text, ':'), *kind = colon + 1;
    size_t n = strcspn(kind, "=");

    ret->word = xmemdup0(text, (size_t)(colon - text));
    ret->kind = xmemdup0(kind, n);
    ret->fallback = kind[n] ? kind + n + 1 : NULL;
}

static struct error *refs(struct xe *x, const char *cls, const char *text, json_t *ret)
{
    for (const char *p = text; *text && p;) {
        const char *comma = strchr(p, ',');
        _cleanup_free_ char *uuid = comma ? xmemdup0(p, (size_t)(comma - p)) : xstrdup(p);
        _cleanup_free_ char *ref = NULL;

        TRY(ref_of(&x->client, cls, uuid, &ref));
        json_array_append_new(ret, json_string(ref));
        p = comma ? comma + 1 : NULL;
    }
    return NULL;
}

/* A reference, or several. No word and no default: the null reference. */
static struct error *ref_value(struct xe *x, const struct arg *a, const char *text, json_t **ret)
{
    size_t n = strlen(a->kind);
    _cleanup_free_ char *ref = NULL;

    if (a->kind[n - 1] == '*') {
        _cleanup_free_ char *cls = xmemdup0(a->kind, n - 1);

        *ret = json_array();
        return refs(x, cls, text ? text : "", *ret);
    }
    if (text && *text)
        TRY(ref_of(&x->client, a->kind, text, &ref));
    *ret = json_string(ref ? ref : REF_NULL);
    return NULL;
}

static struct error *scalar_value(const struct arg *a, const char *text, json_t **ret)
{
    const char *name = *a->word ? a->word : a->kind;
    int64_t number;
    char *end;
    bool on;

    if (streq(a->kind, "bool")) {
        TRY(bool_parse(name, text, &on));
        *ret = json_boolean(on);
    } else if (streq(a->kind, "size")) {
        TRY(size_parse(name, text, &number));
        *ret = json_integer(number);
    } else if (streq(a->kind, "int")) {
        number = strtoll(text, &end, 0);
        if (end == text || *end)
            return error_text("Failed to parse parameter '%s': expecting an integer", name);
        *ret = json_integer(number);
    } else if (streq(a->kind, "float")) {
        double d = strtod(text, &end);

        if (end == text || *end)
            return error_text("Failed to parse parameter '%s': expecting a float", name);
        *ret = json_real(d);
    } else {
        *ret = json_string(text);
    }
    return *ret ? NULL : error_text("a parameter is not UTF-8");
}

/* "a:b,c:d" */
static json_t *pairs(const char *text)
{
    json_t *map = json_object();

    for (const char *p = text; p && *p; p = strchr(p, ',')) {
        p += *p == ',';
        size_t key = strcspn(p, ":,"), n = strcspn(p, ",");

        if (p[key] == ':')
            json_object_setn_new(map, p, key, json_stringn(p + key + 1, n - key - 1));
    }
    return map;
}

static struct error *value(struct xe *x, const char *spec, json_t **ret)
{
    _cleanup_(arg_fini) struct arg a = {0};
    const char *text;

    arg_read(spec, &a);
    text = *a.word ? words_get(&x->words, a.word, a.fallback) : a.fallback;
    if (streq(a.kind, "map")) {
        *ret = *a.word ? word_map(x, a.word) : json_object();
        return NULL;
    }
    if (streq(a.kind, "list")) {
        *ret = *a.word ? word_list(x, a.word) : json_array();
        return NULL;
    }
    if (streq(a.kind, "pairs")) {
        *ret = pairs(text ? text : "");
        return NULL;
    }
    static const char *const scalars[] = {"string", "enum", "bool", "size", "int", "float"};

    for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
        if (streq(a.kind, scalars[i]))
            return text ? scalar_value(&a, text, ret)
                        : fail_usage("Required parameter not found", a.word);
    return ref_value(x, &a, text, ret);
}

static struct error *special(struct xe *x, const char *spec, const struct selected *one,
                             json_t **ret)
{
    _cleanup_free_ char *ref = NULL;

    if (streq(spec, "@"))
        ref = xstrdup(one->ref);
    else if (streq(spec, "@pool"))
        TRY(the_pool(&x->client, &ref));
    else if (words_find(&x->words, "host-uuid"))
        TRY(ref_of(&x->client, "host", words_find(&x->words, "host-uuid"), &ref));
    else
        TRY(leading_host(&x->client, &ref));
    *ret = json_string(ref);
    return NULL;
}

/* Positional arguments, or the members of the one record that is the argument. */
static struct error *arguments(struct xe *x, const struct selected *one, json_t *ret)
{
    _cleanup_json_ json_t *record = NULL;

    for (const char *const *arg = x->command->args; *arg; arg++) {
        bool member = **arg == '.';
        const char *spec = member ? strchr(*arg, '=') + 1 : *arg;
        json_t *v = NULL;

        if (*spec == '@')
            TRY(special(x, spec, one, &v));
        else
            TRY(value(x, spec, &v));
        if (!member) {
            json_array_append_new(ret, v);
            continue;
        }
        if (!record)
            record = json_object();
        json_object_setn_new(record, *arg + 1, strcspn(*arg + 1, "="), v);
    }
    if (record)
        json_array_append(ret, record);
    return NULL;
}

static struct error *print_map(struct xe *x, const struct members *m)
{
    _cleanup_(record_fini) struct record r = {0};

    vec_foreach (member, m)
        record_add(&r, member->key ? member->key : "", member->text);
    print_one(&x->printer, &r);
    return NULL;
}

static struct error *print_value(struct xe *x, const json_t *answer)
{
    _cleanup_free_ char *text = json_dumps(answer, JSON_ENCODE_ANY | JSON_COMPACT);
    _cleanup_(members_fini) struct members m = {0};
    const char *type = x->command->result;
    struct store s;

    store_init(&s, &x->client);
    struct error *e = value_members(&s, type, (struct slice){text, strlen(text)}, &m);

    store_fini(&s);
    TRY(e);
    if (str_starts(type, "map:"))
        return print_map(x, &m);
    if (streq(type, "float")) {
        print_sentence(&x->printer, "%f", json_number_value(answer));
        return NULL;
    }
    const char **lines = xnew_array(const char *, m.n + 1);

    for (size_t i = 0; i < m.n; i++)
        lines[i] = m.v[i].text;
    print_lines(&x->printer, lines, m.n);
    free(lines);
    return NULL;
}

static struct error *run_one(struct xe *x, const struct selected *one, void *ctx)
{
    const struct xe_command *c = x->command;
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_json_ json_t *args = json_array();

    TRY(arguments(x, one, args));
    TRY(call_array(&x->client, &answer, c->call, json_incref(args)));
    if (!*c->show)
        return NULL;
    if (streq(c->show, "value"))
        return print_value(x, answer);
    if (streq(c->show, "sentence")) {
        print_sentence(&x->printer, "%s", json_string_value(answer) ?: "");
        return NULL;
    }
    return print_uuid(x, c->show, json_string_value(answer) ?: REF_NULL);
}

struct error *plain_run(struct xe *x)
{
    bool selects = x->command->flags & (XE_SELECT_VM | XE_SELECT_HOST | XE_SELECT_SR);

    return selects ? for_selected(x, run_one, NULL) : run_one(x, NULL, NULL);
}
