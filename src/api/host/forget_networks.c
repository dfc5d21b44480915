/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.reset_networking: the host forgets its interfaces, with what was made on top of them. Only
 * rows go; PIF.scan finds the interfaces of the machine again.
 */
#include "api/pif/pif.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

struct error *api_host_reset_networking(struct call *c, const struct host_reset_networking_args *a)
{
    const struct pif_rec *const *all;
    const struct host_rec *host;
    size_t n = txn_all_pif(c->txn, &all);

    TRY(txn_host(c->txn, a->host, &host));
    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->host, host->self))
            TRY(pif_remove(c->txn, all[i]));
    return NULL;
}
