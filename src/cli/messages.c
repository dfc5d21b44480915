/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages, events, sessions, subjects: what is not about machines. */
#include "cli/commands.h"
#include "cli/filter.h"
#include "gen/errors.h"
#include "value/type.h"

/* Messages. */

struct error *message_create(struct xe *x)
{
    static const struct {
        const char *word;
        const char *cls;
    } objects[] = {
        {"vm-uuid", "VM"}, {"pool-uuid", "Pool"}, {"sr-uuid", "SR"}, {"host-uuid", "Host"}};
    int64_t priority;

    TRY(words_int(&x->words, "priority", 0, &priority));
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        const char *uuid = words_find(&x->words, objects[i].word);

        if (uuid)
            return call(&x->client, NULL, "message.create", "sIsss", word_or(x, "name", ""),
                        (json_int_t)priority, objects[i].cls, uuid, word_or(x, "body", ""));
    }
    return error_text("Need one of: vm-uuid, host-uuid, sr-uuid or pool-uuid");
}

struct error *message_destroy(struct xe *x)
{
    const char *uuid = words_find(&x->words, "uuid"), *uuids = words_find(&x->words, "uuids");
    _cleanup_json_ json_t *list = word_list(x, uuid ? "uuid" : "uuids"), *refs = json_array();
    const json_t *one;
    size_t i;

    if (uuid && uuids)
        return error_text("Ambiguous arguments; need one of uuid, uuids");
    if (!uuid && !uuids)
        return error_text("Need one of uuid, uuids");
    json_array_foreach (list, i, one) {
        _cleanup_free_ char *ref = NULL;

        TRY(ref_of(&x->client, "message", json_string_value(one), &ref));
        json_array_append_new(refs, json_string(ref));
    }
    return call(&x->client, NULL, "message.destroy_many", "O", refs);
}

struct error *message_destroy_all(struct xe *x)
{
    static const char *const words[] = {"before", "after", "priority"};
    json_t *filters = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words_find(&x->words, words[i]))
            json_object_set_new(filters, words[i], json_string(words_find(&x->words, words[i])));
    return call(&x->client, NULL, "message.destroy_all", "o", filters);
}

/* event-wait: until one object of a class is as told. */

struct wish {
    const struct xe_class *cls;
    struct filters equal;
    struct filters unequal;
};

static void wish_fini(struct wish *w)
{
    vec_fini(&w->equal);
    vec_fini(&w->unequal);
}

static struct error *read_wish(struct xe *x, struct wish *w)
{
    vec_foreach (word, &x->words) {
        struct filter f;

        if (streq(word->key, "class") || word_is_standard(word->key))
            continue;
        filter_resolve(w->cls, word->key, &f);
        if (f.kind != FILTER_PLAIN || f.problem)
            return error_text("key missing: %s", word->key);
        f.value = word->value;
        if (str_starts(word->value, "/=")) {
            f.value += 2;
            vec_add(&w->unequal, f);
        } else {
            vec_add(&w->equal, f);
        }
    }
    return NULL;
}

static struct error *row_fits(struct store *s, struct table *t, const struct row *r,
                              const struct wish *w, bool *ret)
{
    TRY(filters_match(s, t, r, &w->equal, ret));
    vec_foreach (f, &w->unequal) {
        const struct filters one = {.v = f, .n = 1};
        bool same;

        if (!*ret)
            return NULL;
        TRY(filters_match(s, t, r, &one, &same));
        *ret = !same;
    }
    return NULL;
}

static struct error *any_fits(struct xe *x, const struct wish *w, bool *ret)
{
    struct store s;
    struct error *e;

    store_init(&s, &x->client);
    struct table *t = store_table(&s, w->cls->api);

    table_want(t, "uuid");
    filters_want(&s, w->cls->api, &w->equal);
    filters_want(&s, w->cls->api, &w->unequal);
    e = table_load(&s, t);
    *ret = false;
    for (size_t i = 0; i < t->rows.n && !e && !*ret; i++)
        e = row_fits(&s, t, t->rows.v[i], w, ret);
    store_fini(&s);
    return e;
}

static struct error *wait_for(struct xe *x, const struct wish *w)
{
    _cleanup_free_ char *token = xstrdup("");

    for (;;) {
        _cleanup_json_ json_t *batch = NULL;
        bool fits;

        /* First the token, then the look: no change between them is missed. */
        struct error *e = call(&x->client, &batch, "event.from", "[s]sf", w->cls->api, token,
                               *token ? 30.0 : 0.0);

        if (e && !error_is(e, ERR_EVENTS_LOST))
            return e;
        if (e)
            error_free(e);
        free(token);
        token = xstrdup(e ? "" : text_of(batch, "token"));
        TRY(any_fits(x, w, &fits));
        if (fits)
            return NULL;
    }
}

struct error *event_wait(struct xe *x)
{
    static const char *const known[] = {"vm",   "vdi",     "sr",   "host",   "network",
                                        "vif",  "pif",     "vbd",  "pbd",    "pool",
                                        "task", "subject", "role", "secret", "vmss"};
    const char *name = word_or(x, "class", "");
    _cleanup_(wish_fini) struct wish w = {0};

    for (size_t i = 0; i < ARRAY_SIZE(known) && !w.cls; i++)
        if (streq(known[i], name))
            w.cls = xe_class_find(name);
    if (!w.cls)
        return error_text("Cli listening for class '%s' not currently implemented", name);
    TRY(read_wish(x, &w));
    TRY(filters_check(&w.equal));
    TRY(filters_check(&w.unequal));
    return wait_for(x, &w);
}

/* Sessions and subjects. */

struct error *session_subject_identifier_list(struct xe *x)
{
    _cleanup_json_ json_t *all = NULL;
    const json_t *one;
    size_t i;

    TRY(call(&x->client, &all, "session.get_all_subject_identifiers", ""));
    print_table(&x->printer);
    json_array_foreach (all, i, one) {
        _cleanup_(record_fini) struct record r = {0};

        record_add(&r, "subject-identifier ( RO)", json_string_value(one) ?: "");
        print_record(&x->printer, &r);
    }
    print_table_end(&x->printer);
    return NULL;
}

struct error *session_subject_identifier_logout_all(struct xe *x)
{
    _cleanup_json_ json_t *all = NULL;
    const json_t *one;
    size_t i;

    TRY(call(&x->client, &all, "session.get_all_subject_identifiers", ""));
    json_array_foreach (all, i, one)
        TRY(call(&x->client, NULL, "session.logout_subject_identifier", "s",
                 json_string_value(one)));
    return NULL;
}

/* What the directory knows goes with the subject: its identifier need not say who it is. */
struct error *subject_add(struct xe *x)
{
    _cleanup_free_ char *identifier = NULL, *subject = NULL;
    _cleanup_json_ json_t *known = NULL;

    TRY(call_string(&x->client, &identifier, "auth.get_subject_identifier", "s",
                    word_or(x, "subject-name", "")));
    TRY(call(&x->client, &known, "auth.get_subject_information_from_identifier", "s", identifier));
    TRY(call_string(&x->client, &subject, "subject.create", "{ss sO}", "subject_identifier",
                    identifier, "other_config", known));
    return print_uuid(x, "subject", subject);
}

static struct error *subject_role(struct xe *x, const char *message)
{
    const char *name = words_find(&x->words, "role-name");
    const char *uuid = words_find(&x->words, "role-uuid");
    _cleanup_free_ char *subject = NULL, *role = NULL;

    if (!name && !uuid)
        return error_text("Required parameter not found: role-uuid or role-name");
    if (name && uuid)
        return error_text("Parameters role-uuid and role-name cannot be used together");
    TRY(word_ref(x, "uuid", "subject", &subject));
    if (uuid) {
        TRY(word_ref(x, "role-uuid", "role", &role));
    } else {
        _cleanup_json_ json_t *roles = NULL;

        TRY(call(&x->client, &roles, "role.get_by_name_label", "s", name));
        role = xstrdup(json_string_value(json_array_get(roles, 0)) ?: REF_NULL);
    }
    return call(&x->client, NULL, message, "ss", subject, role);
}

struct error *subject_role_add(struct xe *x)
{
    return subject_role(x, "subject.add_to_roles");
}

struct error *subject_role_remove(struct xe *x)
{
    return subject_role(x, "subject.remove_from_roles");
}

struct error *appliance_shutdown(struct xe *x)
{
    _cleanup_free_ char *appliance = NULL;
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    TRY(word_ref(x, "uuid", "VM_appliance", &appliance));
    return call(&x->client, NULL,
                force ? "VM_appliance.hard_shutdown" : "VM_appliance.clean_shutdown", "s",
                appliance);
}
