/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands on hosts that are more than one call. */
#include "cli/commands.h"
#include "cli/lists.h"
#include "cli/select.h"
#include "gen/errors.h"
#include "value/type.h"

/* The host of the session, or the one that a word names. */
static struct error *this_host(struct xe *x, const char *word, char **ret)
{
    if (words_find(&x->words, word))
        return word_ref(x, word, "host", ret);
    TRY(client_login(&x->client));
    return call_string(&x->client, ret, "session.get_this_host", "s", x->client.session);
}

static struct error *read_file(struct xe *x, const char *path, const char *what, struct str *ret)
{
    struct error *e = read_user_file(x, path, ret);

    if (!e)
        return NULL;
    error_free(e);
    return front_fail(x->client.front, "Failed to read %s", what);
}

static void print_pairs(struct xe *x, json_t *map, const char *const *only)
{
    _cleanup_(record_fini) struct record r = {0};
    const char *key;
    json_t *value;

    if (!only)
        json_object_foreach (map, key, value)
            record_add(&r, key, json_string_value(value) ?: "");
    for (; only && *only; only++)
        if (json_object_get(map, *only))
            record_add(&r, *only, text_of(map, *only));
    print_one(&x->printer, &r);
}

/* Enabled, and no longer marked as under repair by graphical clients. */
static struct error *enable_one(struct xe *x, const struct selected *one, void *ctx)
{
    TRY(call(&x->client, NULL, "host.remove_from_other_config", "ss", one->ref,
             "MAINTENANCE_MODE"));
    return call(&x->client, NULL, "host.enable", "s", one->ref);
}

struct error *host_enable(struct xe *x)
{
    return for_selected(x, enable_one, NULL);
}

struct evacuation {
    char *network;
    int64_t batch;
};

static struct error *evacuate_one(struct xe *x, const struct selected *one, void *ctx)
{
    const struct evacuation *ev = ctx;

    return call(&x->client, NULL, "host.evacuate", "ssI", one->ref, ev->network,
                (json_int_t)ev->batch);
}

struct error *host_evacuate(struct xe *x)
{
    _cleanup_free_ char *network = NULL;
    struct evacuation ev;

    TRY(words_int(&x->words, "batch-size", 0, &ev.batch));
    TRY(word_ref(x, "network-uuid", "network", &network));
    ev.network = network;
    return for_selected(x, evacuate_one, &ev);
}

struct error *host_get_vms_which_prevent_evacuation(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_json_ json_t *vms = NULL;
    const char *vm;
    json_t *why;

    TRY(word_ref(x, "uuid", "host", &host));
    TRY(call(&x->client, &vms, "host.get_vms_which_prevent_evacuation", "s", host));
    json_object_foreach (vms, vm, why) {
        _cleanup_(record_fini) struct record r = {0};
        _cleanup_json_ json_t *record = NULL;
        _cleanup_str_ struct str reason = STR_INIT;

        TRY(call(&x->client, &record, "VM.get_record", "s", vm));
        for (size_t i = 0; i < json_array_size(why); i++)
            str_printf(&reason, "%s%s", i ? "," : "",
                       json_string_value(json_array_get(why, i)) ?: "");
        record_add(&r, "uuid ( RO)", text_of(record, "uuid"));
        record_add(&r, "name-label ( RW)", text_of(record, "name_label"));
        record_add(&r, "reason ( RO)", str_cstr(&reason));
        print_one(&x->printer, &r);
    }
    return NULL;
}

static struct error *power_on_mode_one(struct xe *x, const struct selected *one, void *ctx)
{
    return call(&x->client, NULL, "host.set_power_on_mode", "sso", one->ref,
                word_or(x, "power-on-mode", ""), word_map(x, "power-on-config"));
}

struct error *host_set_power_on_mode(struct xe *x)
{
    return for_selected(x, power_on_mode_one, NULL);
}

struct error *host_prepare_for_poweroff(struct xe *x)
{
    _cleanup_free_ char *host = NULL;

    TRY(this_host(x, "uuid", &host));
    return call(&x->client, NULL, "host.prepare_for_poweroff", "s", host);
}

/* What cannot be undone asks first. */
static struct error *careful(struct xe *x, const char *message, const char *const *warnings)
{
    _cleanup_free_ char *host = NULL;
    bool yes;

    TRY(word_ref(x, "uuid", "host", &host));
    TRY(words_bool(&x->words, "force", false, &yes));
    for (; !yes && *warnings; warnings++)
        print_now(&x->printer, "%s", *warnings);
    if (!yes)
        TRY(ask(x, &yes));
    return yes ? call(&x->client, NULL, message, "s", host) : NULL;
}

struct error *host_forget(struct xe *x)
{
    static const char *const warnings[] = {
        "WARNING: A host should only be forgotten if it is physically unrecoverable;",
        "WARNING: if possible, Hosts should be 'ejected' from the Pool instead.",
        "WARNING: Once a host has been forgotten it will have to be re-installed.",
        "WARNING: This operation is irreversible.", NULL};

    return careful(x, "host.destroy", warnings);
}

struct error *host_declare_dead(struct xe *x)
{
    static const char *const warnings[] = {
        "WARNING: A host should only be declared dead if it is verified offline.",
        "WARNING: Performing this operation if the host is still online and has any",
        "WARNING: running VMs may lead to possible data loss and/or corruption.", NULL};

    return careful(x, "host.declare_dead", warnings);
}

struct error *host_emergency_ha_disable(struct xe *x)
{
    bool soft;

    TRY(words_bool(&x->words, "soft", false, &soft));
    TRY(need_force(x));
    return call(&x->client, NULL, "host.emergency_ha_disable", "b", (int)soft);
}

struct error *host_ha_xapi_healthcheck(struct xe *x)
{
    _cleanup_json_ json_t *well = NULL;
    struct error *e = call(&x->client, &well, "host.ha_xapi_healthcheck", "");

    if (e) {
        _cleanup_free_ char *text = error_string(e);

        front_tell(x->client.front, "Host.ha_xapi_healthcheck threw exception: %s\n", text);
        error_free(e);
        return fail_exit(3);
    }
    if (!json_is_true(well)) {
        front_tell(x->client.front, "Host.ha_xapi_healthcheck reports false\n");
        return fail_exit(2);
    }
    print_now(&x->printer, "xapi is healthy.");
    return NULL;
}

/* Processors. */

struct error *host_cpu_info(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_json_ json_t *info = NULL;

    TRY(this_host(x, "uuid", &host));
    TRY(call(&x->client, &info, "host.get_cpu_info", "s", host));
    print_pairs(x, info, NULL);
    return NULL;
}

struct error *host_get_cpu_features(struct xe *x)
{
    static const char *const keys[] = {"features_pv", "features_hvm", "features_pv_host",
                                       "features_hvm_host", NULL};
    _cleanup_free_ char *host = NULL;
    _cleanup_json_ json_t *info = NULL;

    TRY(this_host(x, "uuid", &host));
    TRY(call(&x->client, &info, "host.get_cpu_info", "s", host));
    print_pairs(x, info, keys);
    return NULL;
}

/* Licences: nothing here needs one, tools ask all the same. */

struct error *host_license_add(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_str_ struct str text = STR_INIT;

    TRY(this_host(x, "host-uuid", &host));
    TRY(read_file(x, word_or(x, "license-file", ""), "license file.", &text));
    TRY(call(&x->client, NULL, "host.license_add", "ss", host, str_cstr(&text)));
    print_now(&x->printer, "License applied.");
    return NULL;
}

struct error *host_license_remove(struct xe *x)
{
    _cleanup_free_ char *host = NULL;

    TRY(this_host(x, "host-uuid", &host));
    return call(&x->client, NULL, "host.license_remove", "s", host);
}

struct error *host_license_view(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    _cleanup_json_ json_t *params = NULL;

    TRY(this_host(x, "host-uuid", &host));
    TRY(call(&x->client, &params, "host.get_license_params", "s", host));
    json_object_del(params, "sku_type");
    print_pairs(x, params, NULL);
    return NULL;
}

struct error *host_apply_edition(struct xe *x)
{
    _cleanup_free_ char *host = NULL;

    TRY(this_host(x, "host-uuid", &host));
    return call(&x->client, NULL, "host.apply_edition", "ssb", host, word_or(x, "edition", ""), 0);
}

static struct error *apply_updates_one(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *warnings = NULL;
    const json_t *warning;
    size_t i;

    TRY(call(&x->client, &warnings, "host.apply_updates", "ss", one->ref, word_or(x, "hash", "")));
    json_array_foreach (warnings, i, warning) {
        _cleanup_str_ struct str line = STR_INIT;

        for (size_t k = 0; k < json_array_size(warning); k++)
            str_printf(&line, "%s%s", k ? "; " : "",
                       json_string_value(json_array_get(warning, k)) ?: "");
        print_line(&x->printer, str_cstr(&line));
    }
    return NULL;
}

struct error *host_apply_updates(struct xe *x)
{
    return for_selected(x, apply_updates_one, NULL);
}

static struct error *certificate_one(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_str_ struct str certificate = STR_INIT, key = STR_INIT, chain = STR_INIT;
    const char *more = words_find(&x->words, "certificate-chain");

    TRY(read_file(x, word_or(x, "certificate", ""), "certificate", &certificate));
    TRY(read_file(x, word_or(x, "private-key", ""), "private key", &key));
    if (more)
        TRY(read_file(x, more, "certificate chain", &chain));
    return call(&x->client, NULL, "host.install_server_certificate", "ssss", one->ref,
                str_cstr(&certificate), str_cstr(&key), str_cstr(&chain));
}

struct error *host_server_certificate_install(struct xe *x)
{
    return for_selected(x, certificate_one, NULL);
}

/* Plugins: args:KEY=VALUE, or args:KEY:file=PATH for the contents of a file. */

static struct error *plugin_args(struct xe *x, json_t *ret)
{
    static const char *const suffix = ":file";

    vec_foreach (w, &x->words) {
        const char *key = word_map_key(w, "args");
        _cleanup_str_ struct str text = STR_INIT;

        if (!key)
            continue;
        if (!str_ends(key, suffix)) {
            json_object_set_new(ret, key, json_string(w->value));
            continue;
        }
        _cleanup_free_ char *what = xasprintf("file %s", w->value);

        TRY(read_file(x, w->value, what, &text));
        json_object_setn_new(ret, key, strlen(key) - strlen(suffix),
                             json_stringn(str_cstr(&text), text.len));
    }
    return NULL;
}

static struct error *call_plugin(struct xe *x, const char *message, const char *word,
                                 const char *cls)
{
    _cleanup_json_ json_t *args = json_object();
    _cleanup_free_ char *ref = NULL, *result = NULL;

    TRY(word_ref(x, word, cls, &ref));
    TRY(plugin_args(x, args));
    TRY(call_string(&x->client, &result, message, "sssO", ref, word_or(x, "plugin", ""),
                    word_or(x, "fn", ""), args));
    print_line(&x->printer, result);
    return NULL;
}

struct error *host_call_plugin(struct xe *x)
{
    return call_plugin(x, "host.call_plugin", "host-uuid", "host");
}

struct error *vm_call_plugin(struct xe *x)
{
    return call_plugin(x, "VM.call_plugin", "vm-uuid", "VM");
}

struct error *vm_call_host_plugin(struct xe *x)
{
    return call_plugin(x, "VM.call_host_plugin", "vm-uuid", "VM");
}
