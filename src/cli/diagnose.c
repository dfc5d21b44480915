/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures about hosts and callers, advice of balancers, and rare devices. */
#include "cli/commands.h"
#include "cli/select.h"

/* Tables with columns, "a | b | c". */

struct lines {
    struct VEC(char *) cells; /* row by row */
    size_t n_columns;
};

static void lines_fini(struct lines *l)
{
    vec_foreach (cell, &l->cells)
        free(*cell);
    vec_fini(&l->cells);
}

/* Copies; the end of a row is where the next begins. */
static void add_cell(struct lines *l, const char *text)
{
    vec_add(&l->cells, xstrdup(text));
}

static void print_columns(struct xe *x, const struct lines *l)
{
    _cleanup_free_ int *width = xnew_array(int, l->n_columns + 1);
    _cleanup_str_ struct str line = STR_INIT;

    for (size_t i = 0; i < l->cells.n; i++) {
        int *w = &width[i % l->n_columns];

        *w = MAX(*w, (int)strlen(l->cells.v[i]));
    }
    for (size_t i = 0; i < l->cells.n; i++) {
        size_t column = i % l->n_columns;

        str_printf(&line, "%s%*s", column ? " | " : "", width[column], l->cells.v[i]);
        if (column + 1 < l->n_columns)
            continue;
        print_sentence(&x->printer, "%s", line.s);
        str_clear(&line);
    }
}

static struct error *net_stats_of(struct xe *x, const struct selected *one, void *ctx)
{
    static const char *const passed[] = {"method",   "uri",         "params",
                                         "requests", "connections", "framed"};
    _cleanup_json_ json_t *params = json_object(), *rows = NULL;
    _cleanup_(lines_fini) struct lines l = {0};
    const json_t *row;
    size_t r;

    for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
        if (words_find(&x->words, passed[i]))
            json_object_set_new(params, passed[i], json_string(words_find(&x->words, passed[i])));
    TRY(call(&x->client, &rows, "Diagnostics.network_stats", "sO", one->ref, params));
    l.n_columns = json_array_size(json_array_get(rows, 0));
    json_array_foreach (rows, r, row)
        for (size_t i = 0; i < l.n_columns; i++)
            add_cell(&l, json_string_value(json_array_get(row, i)) ?: "");
    print_columns(x, &l);
    return NULL;
}

struct error *diagnostic_net_stats(struct xe *x)
{
    return for_selected(x, net_stats_of, NULL);
}

struct error *diagnostic_db_stats(struct xe *x)
{
    _cleanup_str_ struct str line = STR_INIT;
    _cleanup_json_ json_t *stats = NULL;
    const char *key;
    json_t *value;

    TRY(call(&x->client, &stats, "Diagnostics.db_stats", ""));
    str_lit(&line, "DB lock stats:");
    json_object_foreach (stats, key, value)
        str_printf(&line, " %s=%s", key, json_string_value(value) ?: "");
    print_sentence(&x->printer, "%s", line.s);
    return NULL;
}

struct error *diagnostic_timing_stats(struct xe *x)
{
    _cleanup_json_ json_t *hosts = NULL;
    const char *ref, *key;
    json_t *host, *value;

    TRY(call(&x->client, &hosts, "host.get_all_records", ""));
    print_table(&x->printer);
    json_object_foreach (hosts, ref, host) {
        _cleanup_(record_fini) struct record r = {0};
        _cleanup_json_ json_t *stats = NULL;
        _cleanup_error_ struct error *e =
            call(&x->client, &stats, "host.get_diagnostic_timing_stats", "s", ref);

        record_add(&r, "host-uuid", text_of(host, "uuid"));
        record_add(&r, "host-name-label", text_of(host, "name_label"));
        if (e) {
            _cleanup_free_ char *text = error_string(e);

            record_add(&r, "Error", text);
        }
        json_object_foreach (stats, key, value)
            record_add(&r, key, json_string_value(value) ?: "");
        print_record(&x->printer, &r);
    }
    print_table_end(&x->printer);
    return NULL;
}

/* Editions. */

struct error *host_all_editions(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_json_ json_t *editions = NULL;
    const json_t *edition;
    size_t i;

    TRY(leading_host(&x->client, &host));
    TRY(call(&x->client, &editions, "host.get_editions", "s", host));
    json_array_foreach (editions, i, edition)
        print_line(&x->printer, json_string_value(edition) ?: "");
    return NULL;
}

struct error *diagnostic_license_status(struct xe *x)
{
    static const char *const head[] = {"Hostname", "UUID", "Edition", "Expiry"};
    _cleanup_json_ json_t *hosts = NULL;
    _cleanup_(lines_fini) struct lines l = {.n_columns = ARRAY_SIZE(head)};
    const char *ref;
    json_t *host;

    TRY(call(&x->client, &hosts, "host.get_all_records", ""));
    for (size_t i = 0; i < l.n_columns; i++)
        add_cell(&l, head[i]);
    json_object_foreach (hosts, ref, host) {
        const char *expiry = text_of(json_object_get(host, "license_params"), "expiry");
        _cleanup_free_ char *uuid = xstrdup(text_of(host, "uuid"));

        if (strlen(uuid) > 8)
            uuid[8] = 0;
        add_cell(&l, text_of(host, "hostname"));
        add_cell(&l, uuid);
        add_cell(&l, text_of(host, "edition"));
        add_cell(&l, *expiry ? expiry : "never");
    }
    print_columns(x, &l);
    return NULL;
}

/* Callers. */

static void add_usage(struct record *r, const json_t *tokens, const json_t *calls)
{
    char text[40];

    snprintf(text, sizeof(text), "%g", json_number_value(tokens));
    record_add(r, "tokens", text);
    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(calls));
    record_add(r, "call_count", text);
}

struct error *caller_query_usage(struct xe *x)
{
    const char *uuid = words_find(&x->words, "uuid"), *group = words_find(&x->words, "group");
    _cleanup_(record_fini) struct record r = {0};
    _cleanup_json_ json_t *tokens = NULL, *calls = NULL;
    _cleanup_free_ char *ref = NULL;

    if (!uuid == !group)
        return error_text("Specify exactly one of uuid= or group=%s", uuid ? ", not both" : "");
    if (uuid)
        TRY(word_ref(x, "uuid", "Caller", &ref));
    TRY(call(&x->client, &tokens,
             uuid ? "Caller.query_token_usage" : "Caller.query_group_token_usage", "s",
             uuid ? ref : group));
    TRY(call(&x->client, &calls, uuid ? "Caller.query_call_count" : "Caller.query_group_call_count",
             "s", uuid ? ref : group));
    add_usage(&r, tokens, calls);
    print_one(&x->printer, &r);
    return NULL;
}

struct error *caller_list_usage(struct xe *x)
{
    static const char *const head[] = {"uuid", "name-label", "tokens", "calls"};
    _cleanup_json_ json_t *rows = NULL;
    const json_t *row;
    size_t i;

    TRY(call(&x->client, &rows, "Caller.query_all_usage", ""));
    print_table(&x->printer);
    json_array_foreach (rows, i, row) {
        _cleanup_(record_fini) struct record r = {0};

        for (size_t k = 0; k < ARRAY_SIZE(head); k++)
            record_add(&r, head[k], json_string_value(json_array_get(row, k)) ?: "");
        print_record(&x->printer, &r);
    }
    print_table_end(&x->printer);
    return NULL;
}

/* Advice of a load balancer: objects of a class and what is said of each. */

static struct error *advice(struct xe *x, json_t *answer, const char *cls, const char *left,
                            const char *right)
{
    _cleanup_(record_fini) struct record r = {0};
    const char *ref;
    json_t *words;

    record_add(&r, left, right);
    json_object_foreach (answer, ref, words) {
        _cleanup_str_ struct str said = STR_INIT;
        _cleanup_free_ char *who = NULL;

        TRY(name_of(x, cls, ref, &who));
        for (size_t i = 0; i < json_array_size(words); i++)
            str_printf(&said, "%s%s", i ? " " : "",
                       json_string_value(json_array_get(words, i)) ?: "");
        record_add(&r, who, str_cstr(&said));
    }
    print_one(&x->printer, &r);
    return NULL;
}

struct error *pool_retrieve_wlb_recommendations(struct xe *x)
{
    _cleanup_json_ json_t *answer = NULL;

    TRY(call(&x->client, &answer, "pool.retrieve_wlb_recommendations", ""));
    return advice(x, answer, "VM", "VM", "Host, OptID, RecID, Reason");
}

struct error *host_retrieve_wlb_recommendations(struct xe *x)
{
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_free_ char *host = NULL;

    TRY(word_ref(x, "uuid", "host", &host));
    TRY(call(&x->client, &answer, "host.retrieve_wlb_evacuate_recommendations", "s", host));
    return advice(x, answer, "VM", "VM", "[Host, RecID] / Error");
}

static struct error *advice_for_vm(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *answer = NULL;

    TRY(call(&x->client, &answer, "VM.retrieve_wlb_recommendations", "s", one->ref));
    return advice(x, answer, "host", "Host(Uuid)", "Stars, RecID, ZeroScoreReason");
}

struct error *vm_retrieve_wlb_recommendations(struct xe *x)
{
    return for_selected(x, advice_for_vm, NULL);
}

/* Blobs, drivers, TPMs, repositories. */

struct error *blob_create(struct xe *x)
{
    static const struct {
        const char *word;
        const char *cls;
    } objects[] = {{"vm-uuid", "VM"},
                   {"pool-uuid", "pool"},
                   {"sr-uuid", "SR"},
                   {"host-uuid", "host"},
                   {"network-uuid", "network"}};
    bool public;

    TRY(words_bool(&x->words, "public", false, &public));
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        _cleanup_free_ char *message = xasprintf("%s.create_new_blob", objects[i].cls);
        _cleanup_free_ char *ref = NULL, *blob = NULL;

        if (!words_find(&x->words, objects[i].word))
            continue;
        TRY(word_ref(x, objects[i].word, objects[i].cls, &ref));
        TRY(call_string(&x->client, &blob, message, "sssb", ref, word_or(x, "name", ""),
                        word_or(x, "mime-type", ""), (int)public));
        return print_uuid(x, "blob", blob);
    }
    return error_text("Need one of: vm-uuid, host-uuid, network-uuid, sr-uuid or pool-uuid");
}

struct error *hostdriver_select(struct xe *x)
{
    const char *name = word_or(x, "variant-name", "");
    _cleanup_free_ char *driver = NULL;
    _cleanup_json_ json_t *variants = NULL;
    const json_t *variant;
    size_t i;

    TRY(word_ref(x, "uuid", "Host_driver", &driver));
    TRY(call(&x->client, &variants, "Host_driver.get_variants", "s", driver));
    json_array_foreach (variants, i, variant) {
        _cleanup_free_ char *its = NULL;

        TRY(call_string(&x->client, &its, "Driver_variant.get_name", "s",
                        json_string_value(variant)));
        if (streq(its, name))
            return call(&x->client, NULL, "Host_driver.select", "ss", driver,
                        json_string_value(variant));
    }
    return error_text("There is no variant '%s' of this driver", name);
}

struct error *hostdriver_deselect(struct xe *x)
{
    _cleanup_free_ char *driver = NULL;

    TRY(need_force(x));
    TRY(word_ref(x, "uuid", "Host_driver", &driver));
    return call(&x->client, NULL, "Host_driver.deselect", "s", driver);
}

struct error *vtpm_destroy(struct xe *x)
{
    _cleanup_free_ char *vtpm = NULL;

    TRY(need_force(x));
    TRY(word_ref(x, "uuid", "VTPM", &vtpm));
    return call(&x->client, NULL, "VTPM.destroy", "s", vtpm);
}

static struct error *file_word(struct xe *x, const char *word, struct str *ret)
{
    return read_user_file(x, word_or(x, word, ""), ret);
}

struct error *repository_introduce_remote_pool(struct xe *x)
{
    _cleanup_str_ struct str certificate = STR_INIT;
    _cleanup_free_ char *repository = NULL;

    TRY(file_word(x, "certificate-file", &certificate));
    TRY(call_string(&x->client, &repository, "Repository.introduce_remote_pool", "ssss",
                    word_or(x, "name-label", ""), word_or(x, "name-description", ""),
                    word_or(x, "binary-url", ""), str_cstr(&certificate)));
    return print_uuid(x, "Repository", repository);
}

static struct error *sysprep_one(struct xe *x, const struct selected *one, void *ctx)
{
    double timeout = strtod(word_or(x, "timeout", "180"), NULL);

    return call(&x->client, NULL, "VM.sysprep", "ssf", one->ref, (const char *)ctx,
                MAX(timeout, 0.0));
}

struct error *vm_sysprep(struct xe *x)
{
    _cleanup_str_ struct str unattend = STR_INIT;

    TRY(file_word(x, "filename", &unattend));
    return for_selected(x, sysprep_one, (void *)(uintptr_t)str_cstr(&unattend));
}
