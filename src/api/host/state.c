/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host.enable and disable, and small questions about a host. */
#include "api/common/lists.h"
#include "api/host/host.h"
#include "api/report/report.h"
#include "gen/class/PIF_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/host_proto.h"
#include "gen/messages.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "rules/ops.h"

struct error *api_host_disable(struct call *c, const struct host_disable_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    h->enabled = false;
    if (a->auto_enable)
        map_remove(c->arena, &h->other_config, HOST_STAYS_DISABLED);
    else
        map_set(c->arena, &h->other_config, HOST_STAYS_DISABLED, "true");
    return NULL;
}

struct error *api_host_enable(struct call *c, const struct host_enable_args *a)
{
    const struct host_rec *host;
    struct host_rec *h;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(host_op_check(txn_view(c->txn), host, HOST_ALLOWED_OPERATIONS_ENABLE));
    TRY(txn_edit_host(c->txn, a->host, &h));
    h->enabled = true;
    map_remove(c->arena, &h->other_config, HOST_STAYS_DISABLED);
    return NULL;
}

struct error *api_host_list_methods(struct call *c, const struct host_list_methods_args *a,
                                    struct set_string *ret)
{
    const char **names = arena_array(c->arena, const char *, MID_MAX);

    for (int i = 0; i < MID_MAX; i++)
        names[i] = messages[i].name;
    *ret = (struct set_string){.n = MID_MAX, .v = names};
    return NULL;
}

struct error *api_host_dmesg(struct call *c, const struct host_dmesg_args *a, const char **ret)
{
    const struct host_host_dmesg_args args = {0};
    struct host_host_dmesg_result result;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(hostd_host_dmesg(c->daemon->hostd, &args, c->arena, &result));
    *ret = result.text;
    return NULL;
}

struct error *api_host_get_management_interface(struct call *c,
                                                const struct host_get_management_interface_args *a,
                                                const char **ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const struct set_ref *pifs = &txn_inv_host(c->txn, host)->PIFs;

    for (size_t i = 0; i < pifs->n; i++) {
        const struct pif_rec *pif = txn_find_pif(c->txn, pifs->v[i]);

        if (!pif || !pif->management)
            continue;
        *ret = pif->self;
        return NULL;
    }
    return err_host_has_no_management_ip();
}

/* What a status report may hold. No report is made yet, so there is nothing to choose from. */
struct error *api_host_get_system_status_capabilities(
    struct call *c, const struct host_get_system_status_capabilities_args *a, const char **ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    _cleanup_str_ struct str text = STR_INIT;

    report_capabilities(&text);
    *ret = arena_memdup0(c->arena, text.s, text.len);
    return NULL;
}

struct error *api_host_is_in_emergency_mode(struct call *c,
                                            const struct host_is_in_emergency_mode_args *a,
                                            bool *ret)
{
    *ret = false;
    return NULL;
}

/* Every commit is durable before it is answered. */
struct error *api_host_sync_data(struct call *c, const struct host_sync_data_args *a)
{
    const struct host_rec *host;

    return txn_host(c->txn, a->host, &host);
}
