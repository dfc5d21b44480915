/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/select.h"

#include "base/uuid.h"
#include "base/world.h"
#include "cli/filter.h"
#include "gen/errors.h"

/* What can be selected, and the words for it. */
struct selector {
    uint32_t flag;
    const char *word; /* "vm=" */
    const char *cls;
    const char *column_class;
    const char *none;
    const char *needs_multiple;
    const char *only_one;
    bool has_hostname;
};

static const struct selector selectors[] = {
    {XE_SELECT_VM, "vm", "VM", "vm", "No matching VMs found",
     "Multiple matches VMs found. --multiple required to complete the operation",
     "Multiple matches VMs found. Operation can only be performed on one VM at a time", false},
    {XE_SELECT_HOST, "host", "host", "host", "No matching hosts found",
     "Multiple matching hosts found. --multiple required to complete the operation",
     "Multiple matching hosts found. Operation can only be performed on one host at a time", true},
    /* The hosts in the first text are what older products say too. */
    {XE_SELECT_SR, "sr", "SR", "sr", "No matching hosts found",
     "Multiple matching SRs found. --multiple required to complete the operation",
     "Multiple matching SRs found. Operation can only be performed on one SR at a time", false},
};

static const struct selector *selector_of(const struct xe_command *c)
{
    for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
        if (c->flags & selectors[i].flag)
            return &selectors[i];
    return &selectors[0];
}

void selection_fini(struct selection *s)
{
    vec_foreach (x, s) {
        free(x->ref);
        free(x->uuid);
    }
    vec_fini(s);
}

/* Columns that decide: the filters', uuid, names, and what makes a VM one. */
static void want(struct store *s, const struct selector *sel, const struct filters *fs)
{
    struct table *t = store_table(s, sel->cls);

    table_want(t, "uuid");
    table_want(t, "name_label");
    if (sel->flag == XE_SELECT_VM) {
        table_want(t, "is_a_template");
        table_want(t, "is_control_domain");
    }
    if (sel->has_hostname)
        table_want(t, "hostname");
    filters_want(s, sel->cls, fs);
}

static struct error *load_found(struct store *s, struct table *t, const json_t *refs)
{
    size_t i;
    const json_t *ref;

    json_array_foreach (refs, i, ref) {
        const struct row *r;

        TRY(table_load_one(s, t, json_string_value(ref) ?: "", &r));
    }
    return NULL;
}

/* By uuid without looking at all others. An unknown one is no match. */
static struct error *load_by_uuid(struct store *s, struct table *t, const char *uuid)
{
    _cleanup_free_ char *ref = NULL;
    const struct row *r;
    struct error *e = ref_of(s->c, t->cls, uuid, &ref);

    if (e && error_is(e, ERR_UUID_INVALID)) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    return table_load_one(s, t, ref, &r);
}

/* A parameter of the command itself: "uuid" of update-apply is the update's. */
static bool is_declared(const struct xe_command *c, const char *name)
{
    const char *const *lists[] = {c->required, c->optional};

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (const char *const *p = lists[i]; *p; p++)
            if (streq(*p, name))
                return true;
    return false;
}

/* Fetches the rows that can match at all: few if the words name them. */
static struct error *load(struct xe *x, struct store *s, const struct selector *sel)
{
    struct table *t = store_table(s, sel->cls);
    const char *uuid = is_declared(x->command, "uuid") ? NULL : words_find(&x->words, "uuid");
    const char *name = words_find(&x->words, sel->word);
    _cleanup_free_ char *message = xasprintf("%s.get_by_name_label", sel->cls);
    _cleanup_json_ json_t *refs = NULL;

    if (uuid)
        return load_by_uuid(s, t, uuid);
    if (!name || sel->has_hostname)
        return table_load(s, t);
    if (uuid_is_valid(name))
        TRY(load_by_uuid(s, t, name));
    TRY(call(s->c, &refs, message, "s", name));
    return load_found(s, t, refs);
}

static bool column_is(struct table *t, const struct row *r, const char *column, const char *text)
{
    _cleanup_str_ struct str value = STR_INIT;

    slice_text(r->v[table_want(t, column)], &value);
    return streq(str_cstr(&value), text);
}

static bool may_match(struct xe *x, struct table *t, const struct row *r,
                      const struct selector *sel)
{
    const char *name = words_find(&x->words, sel->word);
    uint32_t flags = x->command->flags;

    if (sel->flag == XE_SELECT_VM) {
        if (!(flags & XE_TEMPLATES) && column_is(t, r, "is_a_template", "true"))
            return false;
        if (!(flags & XE_CONTROL_DOMAINS) && column_is(t, r, "is_control_domain", "true"))
            return false;
    }
    return !name || column_is(t, r, "uuid", name) || column_is(t, r, "name_label", name) ||
           (sel->has_hostname && column_is(t, r, "hostname", name));
}

static struct error *pick(struct xe *x, struct store *s, const struct selector *sel,
                          const struct filters *fs, struct selection *ret)
{
    struct table *t = store_table(s, sel->cls);

    vec_foreach (f, fs)
        if (f->problem == FILTER_UNKNOWN_FIELD)
            return error_text("Parameter '%s' is not a field of the %s class. Failed to select %s "
                              "for operation.",
                              f->name, sel->cls, sel->cls);
    TRY(filters_check(fs));
    want(s, sel, fs);
    TRY(load(x, s, sel));
    for (size_t i = 0; i < t->rows.n; i++) {
        const struct row *r = t->rows.v[i];
        _cleanup_str_ struct str uuid = STR_INIT;
        bool match;

        if (!may_match(x, t, r, sel))
            continue;
        TRY(filters_match(s, t, r, fs, &match));
        if (!match)
            continue;
        slice_text(r->v[table_want(t, "uuid")], &uuid);
        vec_add(ret, (struct selected){xstrdup(r->ref), str_take(&uuid)});
    }
    return NULL;
}

struct error *select_objects(struct xe *x, struct selection *ret)
{
    const struct selector *sel = selector_of(x->command);
    const char *const word[] = {sel->word, "progress", NULL};
    const char *const *const except[] = {x->command->required, x->command->optional, word};
    struct filters fs = {0};
    struct store s;

    filters_take(&fs, xe_class_find(sel->column_class), &x->words, except, ARRAY_SIZE(except));
    store_init(&s, &x->client);
    struct error *e = pick(x, &s, sel, &fs, ret);

    store_fini(&s);
    vec_fini(&fs);
    return e;
}

/* What a VM had to say while it was worked on. */
static void tell_messages(struct xe *x, const char *uuid, int64_t since)
{
    _cleanup_json_ json_t *all = NULL;
    _cleanup_str_ struct str time = STR_INIT;
    const char *ref;
    json_t *m;
    int64_t least = strtoll(word_or(x, "message-priority", "5"), NULL, 10);

    datetime_add(&time, since);
    struct error *e = call(&x->client, &all, "message.get", "sss", "VM", uuid, time.s);

    if (e) {
        error_free(e);
        return;
    }
    json_object_foreach (all, ref, m) {
        int64_t priority = json_integer_value(json_object_get(m, "priority"));

        if (priority < least && !x->printer.minimal)
            front_tell(x->client.front, "Message: time=%s priority=%lld name='%s'\n\n",
                       text_of(m, "timestamp"), (long long)priority, text_of(m, "name"));
    }
}

static struct error *do_one(struct xe *x, const struct selected *one, selected_fn *fn, void *ctx)
{
    int64_t since = now_s();
    struct error *e = fn(x, one, ctx);

    if (!e && (x->command->flags & XE_SELECT_VM))
        tell_messages(x, one->uuid, since);
    return e;
}

static struct error *do_all(struct xe *x, const struct selection *all, selected_fn *fn, void *ctx)
{
    bool failed = false;

    vec_foreach (one, all) {
        _cleanup_error_ struct error *e = do_one(x, one, fn, ctx);
        _cleanup_str_ struct str text = STR_INIT;

        if (!e)
            continue;
        failure_text(&x->client, e, &text);
        print_now(&x->printer, "operation failed on %s: %s", one->uuid, text.s);
        failed = true;
    }
    return failed ? fail_exit(1) : NULL;
}

static struct error *do_selection(struct xe *x, const struct selection *all, selected_fn *fn,
                                  void *ctx)
{
    const struct selector *sel = selector_of(x->command);
    bool multiple;

    TRY(words_bool(&x->words, "multiple", false, &multiple));
    if (!all->n)
        return error_text("%s", sel->none);
    if (all->n == 1)
        return do_one(x, all->v, fn, ctx);
    if (x->command->flags & XE_ONLY_ONE)
        return error_text("%s", sel->only_one);
    if (!multiple)
        return error_text("%s", sel->needs_multiple);
    return do_all(x, all, fn, ctx);
}

struct error *for_selected(struct xe *x, selected_fn *fn, void *ctx)
{
    _cleanup_(selection_fini) struct selection all = {0};

    TRY(select_objects(x, &all));
    return do_selection(x, &all, fn, ctx);
}
