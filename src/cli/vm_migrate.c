/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving VMs: to a host of the pool, or with their disks to another pool. */
#include "cli/commands.h"
#include "cli/vm.h"
#include "value/type.h"

/* To a host of this pool. */

static struct error *target_host(struct xe *x, char **ret)
{
    const char *uuid = words_find(&x->words, "host-uuid"), *name = words_find(&x->words, "host");
    _cleanup_json_ json_t *hosts = NULL;
    const char *ref;
    json_t *host;

    if (uuid)
        return ref_of(&x->client, "host", uuid, ret);
    if (!name)
        return error_text("No destination host specified");
    TRY(call(&x->client, &hosts, "host.get_all_records", ""));
    json_object_foreach (hosts, ref, host) {
        if (streq(text_of(host, "uuid"), name) || streq(text_of(host, "name_label"), name) ||
            streq(text_of(host, "hostname"), name)) {
            *ret = xstrdup(ref);
            return NULL;
        }
    }
    return error_text("No matching host found");
}

static void option(struct xe *x, json_t *options, const char *word)
{
    const char *value = words_find(&x->words, word);

    if (value)
        json_object_set_new(options, word, json_string(value));
}

static struct error *migrate_one(struct xe *x, const struct selected *one, void *ctx)
{
    _cleanup_json_ json_t *options = json_object();

    option(x, options, "live");
    option(x, options, "force");
    option(x, options, "compress");
    return run_call(x, "VM.pool_migrate", json_pack("[ssO]", one->ref, (const char *)ctx, options));
}

/* To another pool: a session there says where the VM may go. */

struct journey {
    struct client remote;
    struct options options;
    json_t *destination; /* what host.migrate_receive answered */
    json_t *vdi_map;
    json_t *vif_map;
    json_t *format_map;
};

static void journey_fini(struct journey *j)
{
    client_fini(&j->remote);
    options_fini(&j->options);
    json_decref(j->destination);
    json_decref(j->vdi_map);
    json_decref(j->vif_map);
    json_decref(j->format_map);
}

/* "vdi:UUID=SR": references of both ends; the second in the other pool unless it is a plain text.
 */
static struct error *read_map(struct xe *x, struct journey *j, const char *word, const char *cls,
                              const char *remote_class, json_t *ret)
{
    vec_foreach (w, &x->words) {
        const char *key = word_map_key(w, word);
        _cleanup_free_ char *from = NULL, *to = NULL;

        if (!key || w->key[strlen(word)] != ':')
            continue;
        TRY(ref_of(&x->client, cls, key, &from));
        if (remote_class)
            TRY(ref_of(&j->remote, remote_class, w->value, &to));
        json_object_set_new(ret, from, json_string(to ? to : w->value));
    }
    return NULL;
}

static struct error *remote_host(struct xe *x, struct journey *j, char **ret)
{
    const char *name = words_get(&x->words, "host-uuid", words_find(&x->words, "host"));
    _cleanup_json_ json_t *hosts = NULL;
    const char *ref;
    json_t *host;

    if (!name)
        return leading_host(&j->remote, ret);
    TRY(call(&j->remote, &hosts, "host.get_all_records", ""));
    json_object_foreach (hosts, ref, host) {
        if (streq(text_of(host, "uuid"), name) || streq(text_of(host, "name_label"), name)) {
            *ret = xstrdup(ref);
            return NULL;
        }
    }
    return error_text("No matching host found");
}

/* The network the data goes over: the one named, else that of the management interface. */
static struct error *remote_network(struct xe *x, struct journey *j, const char *host, char **ret)
{
    const char *uuid = words_find(&x->words, "remote-network");
    _cleanup_free_ char *pif = NULL;

    if (uuid)
        return ref_of(&j->remote, "network", uuid, ret);
    TRY(call_string(&j->remote, &pif, "host.get_management_interface", "s", host));
    return call_string(&j->remote, ret, "PIF.get_network", "s", pif);
}

static struct error *prepare(struct xe *x, struct journey *j)
{
    _cleanup_free_ char *host = NULL, *network = NULL;

    if (x->client.options->only_channel)
        return error_text("only an xe with connections of its own can ask another pool; use that "
                          "of this product");
    j->options = (struct options){
        .server = xstrdup(word_or(x, "remote-master", "")),
        .user = xstrdup(word_or(x, "remote-username", "root")),
        .password = xstrdup(word_or(x, "remote-password", "")),
        .tls = true,
        .known = {.renew = x->client.options->known.renew},
    };
    if (x->client.options->known.path)
        j->options.known.path = xstrdup(x->client.options->known.path);
    j->vdi_map = json_object();
    j->vif_map = json_object();
    j->format_map = json_object();
    client_init(&j->remote, &j->options, x->client.front);
    TRY(remote_host(x, j, &host));
    TRY(remote_network(x, j, host, &network));
    TRY(call(&j->remote, &j->destination, "host.migrate_receive", "ss{}", host, network));
    TRY(read_map(x, j, "vdi", "VDI", "SR", j->vdi_map));
    TRY(read_map(x, j, "vif", "VIF", "network", j->vif_map));
    return read_map(x, j, "image-format", "VDI", NULL, j->format_map);
}

static struct error *send_one(struct xe *x, const struct selected *one, void *ctx)
{
    struct journey *j = ctx;
    _cleanup_json_ json_t *options = json_object();
    bool live;

    TRY(words_bool(&x->words, "live", true, &live));
    option(x, options, "force");
    option(x, options, "copy");
    option(x, options, "compress");
    return run_call(x, "VM.migrate_send",
                    json_pack("[sObOOO{}O]", one->ref, j->destination, live, j->vdi_map, j->vif_map,
                              options, j->format_map));
}

struct error *vm_migrate(struct xe *x)
{
    _cleanup_(journey_fini) struct journey j = {0};
    _cleanup_free_ char *host = NULL;

    if (words_find(&x->words, "remote-master")) {
        TRY(prepare(x, &j));
        return for_selected(x, send_one, &j);
    }
    TRY(target_host(x, &host));
    return for_selected(x, migrate_one, host);
}
