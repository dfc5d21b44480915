/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streaming of boot disks (PVS): what is known of sites, their servers, caches and the interfaces
 * to be accelerated. Records only, no proxy runs here: currently_attached of one stays false.
 */
#include "api/common/lists.h"
#include "gen/class/PVS_cache_storage_txn.h"
#include "gen/class/PVS_proxy_txn.h"
#include "gen/class/PVS_server_txn.h"
#include "gen/class/PVS_site_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/PVS_cache_storage.h"
#include "gen/msg/PVS_proxy.h"
#include "gen/msg/PVS_server.h"
#include "gen/msg/PVS_site.h"
#include "rpc/call.h"

#include <arpa/inet.h>

#define PORT_MAX  65535
#define FIRST_VIF "0"

struct error *api_pvs_site_introduce(struct call *c, const struct pvs_site_introduce_args *a,
                                     const char **ret)
{
    struct pvs_site_rec *site = txn_new_pvs_site(c->txn);

    site->name_label = a->name_label;
    site->name_description = a->name_description;
    site->PVS_uuid = a->PVS_uuid;
    *ret = site->self;
    return NULL;
}

struct error *api_pvs_site_forget(struct call *c, const struct pvs_site_forget_args *a)
{
    const struct pvs_site_rec *site;

    TRY(txn_pvs_site(c->txn, a->self, &site));
    const struct pvs_site_inv *inv = txn_inv_pvs_site(c->txn, site);

    if (inv->proxies.n)
        return error_api_v(ERR_PVS_SITE_CONTAINS_RUNNING_PROXIES, inv->proxies.v,
                           (int)inv->proxies.n);
    if (inv->servers.n)
        return error_api_v(ERR_PVS_SITE_CONTAINS_SERVERS, inv->servers.v, (int)inv->servers.n);
    for (size_t i = 0; i < inv->cache_storage.n; i++)
        TRY(txn_delete_pvs_cache_storage(c->txn, inv->cache_storage.v[i]));
    return txn_delete_pvs_site(c->txn, site->self);
}

/* The servers tell it once, when they hear of the site. */
struct error *api_pvs_site_set_pvs_uuid(struct call *c, const struct pvs_site_set_pvs_uuid_args *a)
{
    struct pvs_site_rec *site;

    TRY(txn_edit_pvs_site(c->txn, a->self, &site));
    site->PVS_uuid = a->value;
    return NULL;
}

static bool is_address(const char *text)
{
    unsigned char bin[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, text, bin) == 1 || inet_pton(AF_INET6, text, bin) == 1;
}

static struct error *check_address(struct txn *t, const char *address)
{
    const struct pvs_server_rec *const *all;
    size_t n = txn_all_pvs_server(t, &all);

    if (!is_address(address))
        return err_invalid_ip_address_specified("addresses");
    for (size_t i = 0; i < n; i++)
        if (set_has(&all[i]->addresses, address))
            return err_pvs_server_address_in_use(address);
    return NULL;
}

static struct error *check_port(struct call *c, const char *name, int64_t port)
{
    if (port >= 1 && port <= PORT_MAX)
        return NULL;
    return err_value_not_supported(name, arena_printf(c->arena, "%lld", (long long)port),
                                   "A port is a number from 1 to 65535");
}

struct error *api_pvs_server_introduce(struct call *c, const struct pvs_server_introduce_args *a,
                                       const char **ret)
{
    const struct pvs_site_rec *site;
    struct set_string addresses = {0};

    TRY(txn_pvs_site(c->txn, a->site, &site));
    if (!a->addresses.n)
        return err_invalid_value("addresses", "");
    for (size_t i = 0; i < a->addresses.n; i++) {
        TRY(check_address(c->txn, a->addresses.v[i]));
        set_add(c->arena, &addresses, a->addresses.v[i]);
    }
    TRY(check_port(c, "first_port", a->first_port));
    TRY(check_port(c, "last_port", a->last_port));
    if (a->last_port < a->first_port)
        return err_value_not_supported("last_port",
                                       arena_printf(c->arena, "%lld", (long long)a->last_port),
                                       "It is below first_port");
    struct pvs_server_rec *server = txn_new_pvs_server(c->txn);

    server->addresses = addresses;
    server->first_port = a->first_port;
    server->last_port = a->last_port;
    server->site = site->self;
    *ret = server->self;
    return NULL;
}

struct error *api_pvs_server_forget(struct call *c, const struct pvs_server_forget_args *a)
{
    return txn_delete_pvs_server(c->txn, a->self);
}

struct error *api_pvs_proxy_create(struct call *c, const struct pvs_proxy_create_args *a,
                                   const char **ret)
{
    const struct pvs_proxy_rec *const *all;
    const struct pvs_site_rec *site;
    const struct vif_rec *vif;

    TRY(txn_pvs_site(c->txn, a->site, &site));
    TRY(txn_vif(c->txn, a->VIF, &vif));
    if (!streq(vif->device, FIRST_VIF))
        return err_pvs_vif_must_be_first_device();
    size_t n = txn_all_pvs_proxy(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->VIF, vif->self))
            return error_api(ERR_PVS_PROXY_ALREADY_PRESENT, 1, all[i]->self);
    struct pvs_proxy_rec *proxy = txn_new_pvs_proxy(c->txn);

    proxy->site = site->self;
    proxy->VIF = vif->self;
    *ret = proxy->self;
    return NULL;
}

struct error *api_pvs_proxy_destroy(struct call *c, const struct pvs_proxy_destroy_args *a)
{
    return txn_delete_pvs_proxy(c->txn, a->self);
}

struct error *api_pvs_cache_storage_create(struct call *c,
                                           const struct pvs_cache_storage_create_args *a,
                                           const char **ret)
{
    const struct pvs_cache_storage_rec *const *all;
    const struct pvs_site_rec *site;
    const struct host_rec *host;
    const struct sr_rec *sr;

    TRY(txn_host(c->txn, a->args.host, &host));
    TRY(txn_sr(c->txn, a->args.SR, &sr));
    TRY(txn_pvs_site(c->txn, a->args.site, &site));
    if (a->args.size <= 0)
        return err_invalid_value("size", arena_printf(c->arena, "%lld", (long long)a->args.size));
    size_t n = txn_all_pvs_cache_storage(c->txn, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->site, site->self) && streq(all[i]->host, host->self))
            return err_pvs_cache_storage_already_present(site->self, host->self);
    struct pvs_cache_storage_rec *cache = txn_new_pvs_cache_storage(c->txn);

    cache->host = host->self;
    cache->SR = sr->self;
    cache->site = site->self;
    cache->size = a->args.size;
    *ret = cache->self;
    return NULL;
}

/* In use while a proxy of its site is: the cache is the site's. */
struct error *api_pvs_cache_storage_destroy(struct call *c,
                                            const struct pvs_cache_storage_destroy_args *a)
{
    const struct pvs_cache_storage_rec *cache;
    const struct pvs_site_rec *site;

    TRY(txn_pvs_cache_storage(c->txn, a->self, &cache));
    TRY(txn_pvs_site(c->txn, cache->site, &site));
    const struct set_ref *proxies = &txn_inv_pvs_site(c->txn, site)->proxies;

    for (size_t i = 0; i < proxies->n; i++) {
        const struct pvs_proxy_rec *proxy = txn_find_pvs_proxy(c->txn, proxies->v[i]);

        if (proxy && proxy->currently_attached)
            return err_pvs_cache_storage_is_in_use(cache->self);
    }
    return txn_delete_pvs_cache_storage(c->txn, cache->self);
}
