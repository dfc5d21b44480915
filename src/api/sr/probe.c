/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SR.probe and SR.probe_ext: where a repository could be, or is. */
#include "api/common/lists.h"
#include "api/sr/drivers.h"
#include "api/sr/sr.h"
#include "gen/class/SM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/probe_result.h"
#include "gen/class/sr_stat.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"
#include "value/xml.h"

/* Numbers by which clients know that a key is missing; what could stand there is in the answer. */
#define ERR_NO_DEVICE     "SR_BACKEND_FAILURE_90"
#define ERR_NO_SERVERPATH "SR_BACKEND_FAILURE_101"

static struct error *look(struct call *c, const char *host_ref, const char *type,
                          const struct map_string_string *config, struct host_sr_probe_result *ret)
{
    const struct sm_rec *sm = sm_find(c->txn, type);
    const struct host_rec *host;

    TRY(txn_host(c->txn, host_ref, &host));
    if (!sm)
        return err_sr_unknown_driver(type);
    return sr_backend_probe(c->daemon, c->arena, sm->type, config, ret);
}

/* ---- as XML ---- */

static void add_element(struct str *out, const char *indent, const char *name, const char *text)
{
    str_printf(out, "%s<%s>", indent, name);
    xml_add_text(out, text);
    str_printf(out, "</%s>\n", name);
}

static void add_number(struct str *out, const char *indent, const char *name, int64_t n)
{
    str_printf(out, "%s<%s>%lld</%s>\n", indent, name, (long long)n, name);
}

static const char *taken(struct call *c, struct str *out)
{
    const char *text = arena_strdup(c->arena, str_cstr(out));

    str_fini(out);
    return text;
}

static const char *srs_as_xml(struct call *c, const struct host_sr_probe_result *r)
{
    struct str out = STR_INIT;

    str_add(&out, "<?xml version=\"1.0\" ?>\n<SRlist>\n");
    for (size_t i = 0; i < r->places.n; i++) {
        const struct host_place_rec *p = &r->places.v[i];

        if (!*p->sr)
            continue;
        str_add(&out, "\t<SR>\n");
        add_element(&out, "\t\t", "UUID", p->sr);
        if (p->size)
            add_number(&out, "\t\t", "Size", p->size);
        str_add(&out, "\t</SR>\n");
    }
    str_add(&out, "</SRlist>\n");
    return taken(c, &out);
}

static const char *exports_as_xml(struct call *c, const char *server,
                                  const struct host_sr_probe_result *r)
{
    struct str out = STR_INIT;

    str_add(&out, "<?xml version=\"1.0\" ?>\n<nfs-exports>\n");
    for (size_t i = 0; i < r->places.n; i++) {
        str_add(&out, "\t<Export>\n");
        add_element(&out, "\t\t", "Target", server);
        add_element(&out, "\t\t", "Path", map_find(&r->places.v[i].configuration, "serverpath"));
        add_element(&out, "\t\t", "Accesslist", "");
        str_add(&out, "\t</Export>\n");
    }
    str_add(&out, "</nfs-exports>\n");
    return taken(c, &out);
}

static const char *devices_as_xml(struct call *c, const struct host_sr_probe_result *r)
{
    struct str out = STR_INIT;

    str_add(&out, "<?xml version=\"1.0\" ?>\n<Devlist>\n");
    for (size_t i = 0; i < r->places.n; i++) {
        const struct host_place_rec *p = &r->places.v[i];

        str_add(&out, "\t<BlockDevice>\n");
        add_element(&out, "\t\t", "path", map_find(&p->configuration, "device"));
        add_number(&out, "\t\t", "size", p->size);
        add_element(&out, "\t\t", "contents", p->what);
        str_add(&out, "\t</BlockDevice>\n");
    }
    str_add(&out, "</Devlist>\n");
    return taken(c, &out);
}

static bool is_missing(const struct map_string_string *config, const char *key)
{
    const char *v = map_find(config, key);

    return !v || !*v;
}

struct error *api_sr_probe(struct call *c, const struct sr_probe_args *a, const char **ret)
{
    const struct map_string_string *config = &a->device_config;
    struct host_sr_probe_result found;

    TRY(look(c, a->host, a->type, config, &found));
    const char *type = sm_find(c->txn, a->type)->type;

    if (streq(type, "nfs") && is_missing(config, "serverpath"))
        return error_api(ERR_NO_SERVERPATH, 3, "",
                         "The request is missing the serverpath parameter",
                         exports_as_xml(c, map_find(config, "server"), &found));
    if ((streq(type, "ext") || streq(type, "xfs")) && is_missing(config, "device"))
        return error_api(ERR_NO_DEVICE, 3, "", "The request is missing the device parameter",
                         devices_as_xml(c, &found));
    *ret = srs_as_xml(c, &found);
    return NULL;
}

/* ---- as records ---- */

static const struct sr_stat_rec *stat_of(struct call *c, const struct host_place_rec *p)
{
    struct sr_stat_rec *s = arena_new(c->arena, struct sr_stat_rec);
    const char **uuid = arena_array(c->arena, const char *, 1);

    uuid[0] = p->sr;
    *s = sr_stat_rec_default;
    s->uuid = uuid;
    s->free_space = p->free;
    s->total_space = p->size;
    s->health = SR_HEALTH_HEALTHY;
    return s;
}

static struct probe_result_rec result_of(struct call *c, const struct host_place_rec *p,
                                         const struct map_string_string *asked)
{
    struct probe_result_rec r = probe_result_rec_default;

    r.configuration = *asked;
    for (size_t i = 0; i < p->configuration.n; i++)
        map_set(c->arena, &r.configuration, p->configuration.k[i], p->configuration.v[i]);
    r.complete = p->complete;
    if (*p->sr)
        r.sr = stat_of(c, p);
    if (*p->what)
        map_set(c->arena, &r.extra_info, "contents", p->what);
    return r;
}

struct error *api_sr_probe_ext(struct call *c, const struct sr_probe_ext_args *a,
                               struct set_probe_result_rec *ret)
{
    struct host_sr_probe_result found;

    TRY(look(c, a->host, a->type, &a->device_config, &found));
    struct probe_result_rec *all = arena_array(c->arena, struct probe_result_rec, found.places.n);

    for (size_t i = 0; i < found.places.n; i++)
        all[i] = result_of(c, &found.places.v[i], &a->device_config);
    *ret = (struct set_probe_result_rec){.n = found.places.n, .v = all};
    return NULL;
}
