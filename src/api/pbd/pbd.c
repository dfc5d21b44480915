/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PBD rows: create, destroy, device_config. */
#include "gen/msg/PBD.h"
#include "api/common/lists.h"
#include "api/sr/secrets.h"
#include "api/sr/sr.h"
#include "gen/class/host_txn.h"
#include "rpc/call.h"

#define RESERVED_KEY "SRmaster"

static struct error *check_config(const struct map_string_string *config)
{
    const char *v = map_find(config, RESERVED_KEY);

    return v ? err_value_not_supported("device_config:" RESERVED_KEY, v,
                                       "The key is set by the storage itself")
             : NULL;
}

struct error *api_pbd_create(struct call *c, const struct pbd_create_args *a, const char **ret)
{
    const struct host_rec *host;
    const struct sr_rec *sr;

    TRY(txn_host(c->txn, a->args.host, &host));
    TRY(txn_sr(c->txn, a->args.SR, &sr));
    TRY(check_config(&a->args.device_config));
    const struct pbd_rec *old = sr_pbd_on(c->txn, sr, host->self);

    if (old)
        return err_pbd_exists(sr->self, host->self, old->self);
    struct pbd_rec *pbd = txn_new_pbd(c->txn);

    pbd->host = host->self;
    pbd->SR = sr->self;
    pbd->device_config = a->args.device_config;
    secrets_hide(c->txn, &pbd->device_config);
    pbd->other_config = a->args.other_config;
    *ret = pbd->self;
    return NULL;
}

struct error *api_pbd_destroy(struct call *c, const struct pbd_destroy_args *a)
{
    const struct pbd_rec *pbd;

    TRY(txn_pbd(c->txn, a->self, &pbd));
    if (pbd->currently_attached)
        return err_operation_not_allowed("PBD is currently attached");
    TRY(secrets_drop(c->txn, pbd->self, &pbd->device_config));
    return txn_delete_pbd(c->txn, pbd->self);
}

struct error *api_pbd_set_device_config(struct call *c, const struct pbd_set_device_config_args *a)
{
    struct pbd_rec *pbd;

    TRY(check_config(&a->value));
    TRY(txn_edit_pbd(c->txn, a->self, &pbd));
    pbd->device_config = a->value;
    secrets_hide(c->txn, &pbd->device_config);
    return NULL;
}
