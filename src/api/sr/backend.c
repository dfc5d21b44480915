/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repositories as hostd sees them. */
#include "api/common/host_error.h"
#include "api/sr/secrets.h"
#include "api/sr/sr.h"
#include "gen/errors.h"
#include "value/json.h"

static struct error *about(struct daemon *d, struct error *e)
{
    return from_host(d->store, e);
}

struct error *sr_backend_create(struct daemon *d, struct arena *a, const char *uuid,
                                const char *type, const struct map_string_string *config)
{
    struct host_sr_create_args args = {.uuid = uuid, .type = type};
    struct host_sr_create_result result;

    TRY(secrets_show(d, a, config, &args.device_config));
    return about(d, hostd_sr_create(d->hostd, &args, a, &result));
}

struct error *sr_backend_attach(struct daemon *d, struct arena *a, const char *uuid,
                                const char *type, const struct map_string_string *config)
{
    struct host_sr_attach_args args = {.uuid = uuid, .type = type};
    struct host_sr_attach_result result;

    TRY(secrets_show(d, a, config, &args.device_config));
    return about(d, hostd_sr_attach(d->hostd, &args, a, &result));
}

struct error *sr_backend_detach(struct daemon *d, struct arena *a, const char *uuid)
{
    const struct host_sr_detach_args args = {.uuid = uuid};
    struct host_sr_detach_result result;

    return about(d, hostd_sr_detach(d->hostd, &args, a, &result));
}

struct error *sr_backend_destroy(struct daemon *d, struct arena *a, const char *uuid,
                                 const char *type, const struct map_string_string *config)
{
    struct host_sr_destroy_args args = {.uuid = uuid, .type = type};
    struct host_sr_destroy_result result;

    TRY(secrets_show(d, a, config, &args.device_config));
    return about(d, hostd_sr_destroy(d->hostd, &args, a, &result));
}

struct error *sr_backend_probe(struct daemon *d, struct arena *a, const char *type,
                               const struct map_string_string *config,
                               struct host_sr_probe_result *ret)
{
    struct host_sr_probe_args args = {.type = type};

    TRY(secrets_show(d, a, config, &args.device_config));
    return about(d, hostd_sr_probe(d->hostd, &args, a, ret));
}

struct error *sr_look(struct daemon *d, struct arena *a, const char *uuid, struct sr_found *ret)
{
    const struct host_sr_scan_args scan = {.uuid = uuid};
    const struct host_sr_stat_args stat = {.uuid = uuid};

    TRY(about(d, hostd_sr_scan(d->hostd, &scan, a, &ret->scan)));
    return about(d, hostd_sr_stat(d->hostd, &stat, a, &ret->stat));
}

const struct pbd_rec *sr_pbd_on(struct txn *t, const struct sr_rec *sr, const char *host)
{
    const struct sr_inv *inv = txn_inv_sr(t, sr);

    for (size_t i = 0; i < inv->PBDs.n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(t, inv->PBDs.v[i]);

        if (pbd && streq(pbd->host, host))
            return pbd;
    }
    return NULL;
}

struct error *sr_check_attached(struct daemon *d, struct txn *t, const struct sr_rec *sr)
{
    const struct pbd_rec *pbd = sr_pbd_on(t, sr, d->host_ref);

    return pbd && pbd->currently_attached ? NULL : err_sr_has_no_pbds(sr->self);
}

void plan_set_config(struct plan *p, const struct map_string_string *config)
{
    json_t *o = json_object();

    for (size_t i = 0; i < config->n; i++)
        json_object_set_new(o, config->k[i], json_string(config->v[i]));
    plan_set_json(p, P_CONFIG, o);
}

struct map_string_string plan_config(const struct plan *p, struct arena *a)
{
    json_t *o = plan_json(p, P_CONFIG);
    const char **k = arena_array(a, const char *, json_object_size(o));
    const char **v = arena_array(a, const char *, json_object_size(o));
    struct map_string_string m = {.k = k, .v = v};
    const char *key;
    json_t *value;

    json_object_foreach (o, key, value) {
        k[m.n] = arena_strdup(a, key);
        v[m.n++] = arena_strdup(a, json_string_value(value));
    }
    return m;
}
