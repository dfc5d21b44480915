/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/field_source.h"

#define UNKNOWN "<unknown>"

static void add(struct members *ret, const char *text)
{
    vec_add(ret, (struct member){NULL, xstrdup(text)});
}

/* A failure is shown as what people knew such a column to say. */
static void call_failed(const struct xe_field *f, const struct error *e, struct members *ret)
{
    _cleanup_free_ char *reason = NULL;

    if (str_starts(f->type, "set:") || str_starts(f->type, "map:"))
        return;
    if (streq(f->type, "void")) {
        _cleanup_free_ char *why = error_string(e);

        reason = xasprintf("false (error: %s)", why);
    } else {
        reason = xstrdup(streq(f->type, "bool") ? "true" : UNKNOWN);
    }
    add(ret, reason);
}

static struct error *from_call(struct store *s, struct table *t, const struct row *r,
                               const struct xe_field *f, struct members *ret)
{
    _cleanup_free_ char *message = xasprintf("%s.%s", t->cls, f->source + strlen("@call:"));
    _cleanup_json_ json_t *answer = NULL;
    struct error *e = call(s->c, &answer, message, "s", r->ref);

    if (e) {
        call_failed(f, e, ret);
        error_free(e);
        return NULL;
    }
    if (streq(f->type, "void")) {
        add(ret, "true");
        return NULL;
    }
    _cleanup_free_ char *text = json_dumps(answer, JSON_ENCODE_ANY | JSON_COMPACT);

    return value_members(s, f->type, (struct slice){text, strlen(text)}, ret);
}

/* The text that all rows of a class have in common. */
static struct error *from_all(struct store *s, const struct xe_field *f, struct members *ret)
{
    struct table *t = store_table(s, f->source + strlen("@all:"));
    const char *word = f->steps->name;
    size_t column = table_want_late(t, word);
    bool every = true, same = true;
    _cleanup_(members_fini) struct members all = {0};

    TRY(table_load(s, t));
    vec_foreach (r, &t->rows)
        TRY(value_members(s, f->type, (*r)->v[column], f->style == XE_PLAIN ? ret : &all));
    if (f->style == XE_PLAIN)
        return NULL;
    vec_foreach (x, &all) {
        every = every && streq(x->text, "true");
        same = same && streq(x->text, all.v[0].text);
    }
    if (f->style == XE_EVERY)
        add(ret, every ? "true" : "false");
    else
        add(ret, same && all.n ? all.v[0].text : "<inconsistent>");
    return NULL;
}

/* Name of a data source, and whose it is: "vif_0_rx" of the VM. */
static struct error *find_source(struct store *s, const char *cls, const struct row *r,
                                 const char *metric, char **ret_name, char **ret_owner)
{
    bool read = streq(metric, "read");
    _cleanup_free_ char *get_device = xasprintf("%s.get_device", cls), *device = NULL;
    _cleanup_free_ char *get_owner =
        xasprintf("%s.%s", cls, streq(cls, "PIF") ? "get_host" : "get_VM");

    if (streq(cls, "VM")) {
        *ret_name = xstrdup(metric);
        *ret_owner = xstrdup(r->ref);
        return NULL;
    }
    TRY(call_string(s->c, &device, get_device, "s", r->ref));
    TRY(call_string(s->c, ret_owner, get_owner, "s", r->ref));
    if (streq(cls, "VBD"))
        *ret_name = xasprintf("vbd_%s_%s", device, read ? "read" : "write");
    else
        *ret_name =
            xasprintf("%s_%s_%s", streq(cls, "VIF") ? "vif" : "pif", device, read ? "rx" : "tx");
    return NULL;
}

static struct error *from_metric(struct store *s, struct table *t, const struct row *r,
                                 const struct xe_field *f, struct members *ret)
{
    _cleanup_free_ char *name = NULL, *owner = NULL;
    _cleanup_json_ json_t *answer = NULL;
    char text[40];
    struct error *e = find_source(s, t->cls, r, f->source + strlen("@rrd:"), &name, &owner);

    if (!e)
        e = call(s->c, &answer,
                 streq(t->cls, "PIF") ? "host.query_data_source" : "VM.query_data_source", "ss",
                 owner, name);
    if (e) {
        error_free(e);
        add(ret, UNKNOWN);
        return NULL;
    }
    if (f->style == XE_KBS)
        snprintf(text, sizeof(text), "%.3f", json_number_value(answer) / 1024);
    else
        snprintf(text, sizeof(text), "%.0f", json_number_value(answer));
    add(ret, text);
    return NULL;
}

struct error *source_members(struct store *s, struct table *t, const struct row *r,
                             const struct xe_field *f, struct members *ret)
{
    if (str_starts(f->source, "@call:"))
        return from_call(s, t, r, f, ret);
    if (str_starts(f->source, "@all:"))
        return from_all(s, f, ret);
    return from_metric(s, t, r, f, ret);
}
