/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of SR that are calls of their own. */
#include "api/common/lists.h"
#include "api/sr/sr.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"

struct error *api_sr_set_name_label(struct call *c, const struct sr_set_name_label_args *a)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(c->txn, a->sr, &sr));
    sr->name_label = a->value;
    return NULL;
}

struct error *api_sr_set_name_description(struct call *c,
                                          const struct sr_set_name_description_args *a)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(c->txn, a->sr, &sr));
    sr->name_description = a->value;
    return NULL;
}

struct error *api_sr_set_shared(struct call *c, const struct sr_set_shared_args *a)
{
    const struct sr_rec *sr;
    struct sr_rec *edit;

    TRY(txn_sr(c->txn, a->sr, &sr));
    const struct set_ref *pbds = &txn_inv_sr(c->txn, sr)->PBDs;

    if (!a->value && pbds->n > 1)
        return error_api_v(ERR_SR_HAS_MULTIPLE_PBDS, pbds->v, (int)pbds->n);
    TRY(txn_edit_sr(c->txn, a->sr, &edit));
    edit->shared = a->value;
    return NULL;
}

struct error *api_sr_set_physical_size(struct call *c, const struct sr_set_physical_size_args *a)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(c->txn, a->self, &sr));
    sr->physical_size = a->value;
    return NULL;
}

struct error *api_sr_set_virtual_allocation(struct call *c,
                                            const struct sr_set_virtual_allocation_args *a)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(c->txn, a->self, &sr));
    sr->virtual_allocation = a->value;
    return NULL;
}

struct error *api_sr_set_physical_utilisation(struct call *c,
                                              const struct sr_set_physical_utilisation_args *a)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(c->txn, a->self, &sr));
    sr->physical_utilisation = a->value;
    return NULL;
}

/* Hosts that can reach it now. */
struct error *api_sr_get_live_hosts(struct call *c, const struct sr_get_live_hosts_args *a,
                                    struct set_ref *ret)
{
    const struct sr_rec *sr;
    struct set_ref hosts = {0};

    TRY(txn_sr(c->txn, a->sr, &sr));
    const struct set_ref *pbds = &txn_inv_sr(c->txn, sr)->PBDs;

    for (size_t i = 0; i < pbds->n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(c->txn, pbds->v[i]);

        if (pbd && pbd->currently_attached)
            refs_add(c->arena, &hosts, pbd->host);
    }
    *ret = hosts;
    return NULL;
}
