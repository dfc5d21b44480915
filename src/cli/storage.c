/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SRs, VDIs and VBDs, as far as a command is more than one call. */
#include "base/world.h"
#include "cli/commands.h"
#include "cli/vm.h"
#include "gen/errors.h"
#include "value/type.h"

#include <poll.h>
#include <strings.h>

/* SRs. */

/* device-config:KEY-filename=PATH stands for the contents of a file as KEY. */
static struct error *device_config(struct xe *x, json_t **ret)
{
    static const char *const suffix = "-filename";
    _cleanup_json_ json_t *given = word_map(x, "device-config"), *all = json_object();
    const char *key;
    json_t *value;

    json_object_foreach (given, key, value) {
        _cleanup_str_ struct str text = STR_INIT;

        if (!str_ends(key, suffix)) {
            json_object_set(all, key, value);
            continue;
        }
        struct error *e = read_user_file(x, json_string_value(value), &text);

        if (e) {
            error_free(e);
            return error_text("File not found");
        }
        json_object_setn_new(all, key, strlen(key) - strlen(suffix),
                             json_stringn(str_cstr(&text), text.len));
    }
    *ret = json_incref(all);
    return NULL;
}

/* Shared SRs begin on the leading host; others need one to be named, if there are several. */
static struct error *host_of_sr(struct xe *x, bool shared, char **ret)
{
    _cleanup_json_ json_t *hosts = NULL;

    if (words_find(&x->words, "host-uuid"))
        return word_ref(x, "host-uuid", "host", ret);
    TRY(call(&x->client, &hosts, "host.get_all", ""));
    if (json_array_size(hosts) != 1 && !shared)
        return error_text("Required parameter not found: host-uuid");
    return leading_host(&x->client, ret);
}

struct error *sr_create(struct xe *x)
{
    _cleanup_free_ char *host = NULL, *sr = NULL;
    json_t *config = NULL;
    int64_t size = 0;
    bool shared;

    TRY(words_bool(&x->words, "shared", false, &shared));
    if (words_find(&x->words, "physical-size"))
        TRY(words_size(&x->words, "physical-size", &size));
    TRY(host_of_sr(x, shared, &host));
    TRY(device_config(x, &config));
    TRY(call_string(&x->client, &sr, "SR.create", "soIssssbo", host, config, (json_int_t)size,
                    word_or(x, "name-label", ""), word_or(x, "name-description", ""),
                    word_or(x, "type", ""), word_or(x, "content-type", ""), (int)shared,
                    word_map(x, "sm-config")));
    return print_uuid(x, "SR", sr);
}

static void print_texts(struct xe *x, json_t *map)
{
    _cleanup_(record_fini) struct record r = {0};
    const char *key;
    json_t *value;

    json_object_foreach (map, key, value)
        record_add(&r, key, json_string_value(value) ?: "");
    print_one(&x->printer, &r);
}

static void add_integer(struct record *r, const char *key, const json_t *value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    record_add(r, key, text);
}

static void print_found_sr(struct xe *x, const json_t *sr)
{
    _cleanup_(record_fini) struct record r = {0};

    if (*text_of(sr, "uuid"))
        record_add(&r, "uuid", text_of(sr, "uuid"));
    record_add(&r, "name-label", text_of(sr, "name_label"));
    record_add(&r, "name-description", text_of(sr, "name_description"));
    add_integer(&r, "total-space", json_object_get(sr, "total_space"));
    add_integer(&r, "free-space", json_object_get(sr, "free_space"));
    record_add(&r, "clustered", is_true(sr, "clustered") ? "true" : "false");
    record_add(&r, "health", text_of(sr, "health"));
    print_one(&x->printer, &r);
}

enum found { FOUND_SR, FOUND_COMPLETE, FOUND_INCOMPLETE };

static enum found found_kind(const json_t *result)
{
    const json_t *sr = json_object_get(result, "sr");

    if (json_is_object(sr))
        return FOUND_SR;
    return is_true(result, "complete") ? FOUND_COMPLETE : FOUND_INCOMPLETE;
}

static void print_found(struct xe *x, const json_t *results, enum found kind, const char *head)
{
    const char *what = kind == FOUND_SR ? "SR" : "Configuration";
    const json_t *result;
    size_t i, n = 0;

    json_array_foreach (results, i, result) {
        if (found_kind(result) != kind)
            continue;
        if (!n)
            print_sentence(&x->printer, "%s", head);
        print_sentence(&x->printer, "%s %zu:", what, n);
        if (kind == FOUND_SR) {
            print_found_sr(x, json_object_get(result, "sr"));
            print_sentence(&x->printer, "%s %zu configuration:", what, n);
        }
        print_texts(x, json_object_get(result, "configuration"));
        print_sentence(&x->printer, "%s %zu extra information:", what, n);
        print_texts(x, json_object_get(result, "extra_info"));
        n++;
    }
}

struct error *sr_probe_ext(struct xe *x)
{
    _cleanup_json_ json_t *results = NULL;
    _cleanup_free_ char *host = NULL;

    TRY(host_of_sr(x, true, &host));
    TRY(call(&x->client, &results, "SR.probe_ext", "soso", host, word_map(x, "device-config"),
             word_or(x, "type", ""), word_map(x, "sm-config")));
    print_found(x, results, FOUND_SR, "The following SRs were found:");
    print_found(x, results, FOUND_COMPLETE,
                "Found the following complete configurations that can be used to create SRs:");
    print_found(x, results, FOUND_INCOMPLETE,
                "Found the following incomplete configurations that may contain SRs:");
    return NULL;
}

/* VDIs. */

struct error *vdi_resize(struct xe *x)
{
    _cleanup_free_ char *vdi = NULL;
    int64_t size;
    bool online;

    TRY(words_size(&x->words, "disk-size", &size));
    TRY(words_bool(&x->words, "online", false, &online));
    TRY(word_ref(x, "uuid", "VDI", &vdi));
    return call(&x->client, NULL, online ? "VDI.resize_online" : "VDI.resize", "sI", vdi,
                (json_int_t)size);
}

struct error *vdi_copy(struct xe *x)
{
    _cleanup_free_ char *vdi = NULL, *sr = NULL, *base = NULL, *into = NULL, *made = NULL;

    if (!words_find(&x->words, "sr-uuid") == !words_find(&x->words, "into-vdi-uuid"))
        return error_text("Please specify one but not both of: a destination sr-uuid (I will "
                          "create a fresh VDI); or a destination into-vdi-uuid (I will copy the "
                          "blocks into this VDI)");
    TRY(word_ref(x, "uuid", "VDI", &vdi));
    TRY(word_ref(x, "sr-uuid", "SR", &sr));
    TRY(word_ref(x, "base-vdi-uuid", "VDI", &base));
    TRY(word_ref(x, "into-vdi-uuid", "VDI", &into));
    TRY(call_string(&x->client, &made, "VDI.copy", "ssss", vdi, sr, base, into));
    return print_uuid(x, "VDI", made);
}

struct error *vdi_clone(struct xe *x)
{
    const char *name = words_find(&x->words, "new-name-label");
    const char *text = words_find(&x->words, "new-name-description");
    _cleanup_free_ char *vdi = NULL, *made = NULL;

    TRY(word_ref(x, "uuid", "VDI", &vdi));
    TRY(call_string(&x->client, &made, "VDI.clone", "so", vdi, word_map(x, "driver-params")));
    if (name)
        TRY(call(&x->client, NULL, "VDI.set_name_label", "ss", made, name));
    if (text)
        TRY(call(&x->client, NULL, "VDI.set_name_description", "ss", made, text));
    return print_uuid(x, "VDI", made);
}

struct error *vdi_pool_migrate(struct xe *x)
{
    const char *format = words_find(&x->words, "dest-img-format");
    _cleanup_free_ char *vdi = NULL, *sr = NULL, *made = NULL;
    json_t *options;

    TRY(word_ref(x, "uuid", "VDI", &vdi));
    TRY(word_ref(x, "sr-uuid", "SR", &sr));
    options = json_object();
    if (format)
        json_object_set_new(options, "dest-img-format", json_string(format));
    TRY(call_string(&x->client, &made, "VDI.pool_migrate", "sso", vdi, sr, options));
    return print_uuid(x, "VDI", made);
}

struct error *vdi_unlock(struct xe *x)
{
    _cleanup_free_ char *vdi = NULL;

    TRY(need_force(x));
    TRY(word_ref(x, "uuid", "VDI", &vdi));
    return call(&x->client, NULL, "VDI.force_unlock", "s", vdi);
}

/* VBDs. */

/* The API's spelling of a word that may be in any case. */
static const char *one_of(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp(*names, text) == 0)
            return *names;
    return NULL;
}

struct error *vbd_create(struct xe *x)
{
    static const char *const modes[] = {"RO", "RW", NULL};
    static const char *const types[] = {"CD", "Disk", "Floppy", NULL};
    const char *mode = one_of(word_or(x, "mode", "RW"), modes);
    const char *type = one_of(word_or(x, "type", "Disk"), types);
    bool empty = !words_find(&x->words, "vdi-uuid"), bootable, unpluggable;
    _cleanup_free_ char *vm = NULL, *vdi = NULL, *vbd = NULL;

    TRY(words_bool(&x->words, "bootable", false, &bootable));
    TRY(words_bool(&x->words, "unpluggable", true, &unpluggable));
    if (!mode)
        return error_text("Unknown mode: %s (should be \"ro\" or \"rw\"", word_or(x, "mode", ""));
    if (!type)
        return error_text("Unknown type: %s (should be \"cd\", \"disk\" or \"floppy\"",
                          word_or(x, "type", ""));
    if (empty && streq(type, "Disk"))
        return error_text("Empty VBDs can only be made for type=CD");
    TRY(word_ref(x, "vm-uuid", "VM", &vm));
    TRY(word_ref(x, "vdi-uuid", "VDI", &vdi));
    TRY(call_string(&x->client, &vbd, "VBD.create", "{ss ss ss sb ss ss sb sb ss s{} s{}}", "VM",
                    vm, "VDI", vdi, "userdevice", word_or(x, "device", ""), "bootable",
                    (int)bootable, "mode", mode, "type", type, "unpluggable", (int)unpluggable,
                    "empty", (int)empty, "qos_algorithm_type", "", "qos_algorithm_params",
                    "other_config"));
    return print_uuid(x, "VBD", vbd);
}

/* A guest may need time to let go of a disk: waits until the VBD says so, or the time is over. */
static struct error *wait_until_detached(struct xe *x, const char *vbd, int64_t until_us, bool *ret)
{
    _cleanup_free_ char *token = xstrdup(""), *only = xasprintf("vbd/%s", vbd);

    for (*ret = false; mono_us() < until_us;) {
        _cleanup_json_ json_t *attached = NULL, *batch = NULL;
        double left = (double)(until_us - mono_us()) / SECOND_US;

        TRY(call(&x->client, &batch, "event.from", "[s]sf", only, token, *token ? left : 0.0));
        free(token);
        token = xstrdup(text_of(batch, "token"));
        TRY(call(&x->client, &attached, "VBD.get_currently_attached", "s", vbd));
        *ret = !json_is_true(attached);
        if (*ret)
            break;
    }
    return NULL;
}

struct error *vbd_unplug(struct xe *x)
{
    double timeout = strtod(word_or(x, "timeout", "0"), NULL);
    int64_t until = mono_us() + (int64_t)(timeout * SECOND_US);
    _cleanup_free_ char *vbd = NULL;
    bool force, detached;

    TRY(words_bool(&x->words, "force", false, &force));
    TRY(word_ref(x, "uuid", "VBD", &vbd));
    struct error *e = call(&x->client, NULL, force ? "VBD.unplug_force" : "VBD.unplug", "s", vbd);

    if (!e || !error_is(e, ERR_DEVICE_DETACH_REJECTED))
        return e;
    struct error *second = wait_until_detached(x, vbd, until, &detached);

    if (second || !detached) {
        if (second)
            error_free(second);
        return e;
    }
    error_free(e);
    return NULL;
}
