/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who wants to trace which parts. Calls are traced (component xapi) to files (endpoint bugtool) and
 * to web addresses: task/traces.h. The other components have nothing of their own here.
 */
#include "gen/msg/Observer.h"
#include "gen/class/Observer_txn.h"
#include "gen/class/host_txn.h"
#include "rpc/call.h"

static struct error *check_hosts(struct call *c, const struct set_ref *hosts)
{
    for (size_t i = 0; i < hosts->n; i++) {
        const struct host_rec *host;

        TRY(txn_host(c->txn, hosts->v[i], &host));
    }
    return NULL;
}

/* Names as tracing systems take them: letters, digits, dots and underscores. */
static struct error *check_attributes(const struct map_string_string *m)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *k = m->k[i];

        if (!*k || strlen(k) > 255 || k[strspn(k, "abcdefghijklmnopqrstuvwxyz0123456789_.-")])
            return err_invalid_value("attributes", k);
        if (strlen(m->v[i]) > 4096)
            return err_invalid_value(k, "too long");
    }
    return NULL;
}

#define ADDRESS_MAX 2048 /* bytes, as hostd takes them */

static bool is_address(const char *e)
{
    const char *rest = str_starts(e, "http://")    ? e + strlen("http://")
                       : str_starts(e, "https://") ? e + strlen("https://")
                                                   : "";

    for (const char *c = rest; *c; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    return *rest && strlen(e) < ADDRESS_MAX;
}

static struct error *check_endpoints(const struct set_string *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!streq(s->v[i], "bugtool") && !is_address(s->v[i]))
            return err_invalid_value("endpoints", s->v[i]);
    return NULL;
}

static struct error *check_components(const struct set_string *s)
{
    static const char *const known[] = {"xapi", "xenopsd", "xapi-clusterd", "smapi"};

    for (size_t i = 0; i < s->n; i++) {
        bool found = false;

        for (size_t j = 0; j < ARRAY_SIZE(known); j++)
            found = found || streq(known[j], s->v[i]);
        if (!found)
            return err_invalid_value("components", s->v[i]);
    }
    return NULL;
}

struct error *api_observer_create(struct call *c, const struct observer_create_args *a,
                                  const char **ret)
{
    TRY(check_hosts(c, &a->args.hosts));
    TRY(check_attributes(&a->args.attributes));
    TRY(check_endpoints(&a->args.endpoints));
    TRY(check_components(&a->args.components));
    struct observer_rec *o = txn_new_observer(c->txn);

    o->name_label = a->args.name_label;
    o->name_description = a->args.name_description;
    o->hosts = a->args.hosts;
    o->attributes = a->args.attributes;
    o->endpoints = a->args.endpoints;
    o->components = a->args.components;
    o->enabled = a->args.enabled;
    *ret = o->self;
    return NULL;
}

struct error *api_observer_destroy(struct call *c, const struct observer_destroy_args *a)
{
    return txn_delete_observer(c->txn, a->self);
}

struct error *api_observer_set_hosts(struct call *c, const struct observer_set_hosts_args *a)
{
    struct observer_rec *o;

    TRY(txn_edit_observer(c->txn, a->self, &o));
    TRY(check_hosts(c, &a->value));
    o->hosts = a->value;
    return NULL;
}

struct error *api_observer_set_enabled(struct call *c, const struct observer_set_enabled_args *a)
{
    struct observer_rec *o;

    TRY(txn_edit_observer(c->txn, a->self, &o));
    o->enabled = a->value;
    return NULL;
}

struct error *api_observer_set_attributes(struct call *c,
                                          const struct observer_set_attributes_args *a)
{
    struct observer_rec *o;

    TRY(txn_edit_observer(c->txn, a->self, &o));
    TRY(check_attributes(&a->value));
    o->attributes = a->value;
    return NULL;
}

struct error *api_observer_set_endpoints(struct call *c,
                                         const struct observer_set_endpoints_args *a)
{
    struct observer_rec *o;

    TRY(txn_edit_observer(c->txn, a->self, &o));
    TRY(check_endpoints(&a->value));
    o->endpoints = a->value;
    return NULL;
}

struct error *api_observer_set_components(struct call *c,
                                          const struct observer_set_components_args *a)
{
    struct observer_rec *o;

    TRY(txn_edit_observer(c->txn, a->self, &o));
    TRY(check_components(&a->value));
    o->components = a->value;
    return NULL;
}

/* Each host reads the rows: none has to be told. */
static struct error *check_both(struct call *c, const char *self, const char *host)
{
    const struct observer_rec *o;
    const struct host_rec *h;

    TRY(txn_observer(c->txn, self, &o));
    return txn_host(c->txn, host, &h);
}

struct error *api_observer_register(struct call *c, const struct observer_register_args *a)
{
    return check_both(c, a->self, a->host);
}

struct error *api_observer_unregister(struct call *c, const struct observer_unregister_args *a)
{
    return check_both(c, a->self, a->host);
}
