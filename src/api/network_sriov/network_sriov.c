/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SR-IOV: cards that show themselves to guests as many. The checks; turning it on comes with the
 * network driver of the machine. */
#include "gen/msg/network_sriov.h"
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/PCI_txn.h"
#include "gen/class/network_sriov_txn.h"
#include "gen/class/network_txn.h"
#include "rpc/call.h"

#define CAPABILITY "sriov"

struct error *api_network_sriov_create(struct call *c, const struct network_sriov_create_args *a,
                                       const char **ret)
{
    const struct pif_rec *pif;

    TRY(txn_pif(c->txn, a->pif, &pif));
    TRY(pif_check_base(c->txn, pif, a->network));
    if (!pif->physical)
        return err_pif_is_not_physical(pif->self);
    if (!set_has(&pif->capabilities, CAPABILITY))
        return err_pif_is_not_sriov_capable(pif->self);
    if (txn_inv_pif(c->txn, pif)->sriov_physical_PIF_of.n)
        return err_network_sriov_already_enabled(pif->self);
    return err_network_sriov_enable_failed(pif->self, "this host's driver cannot enable it");
}

struct error *api_network_sriov_destroy(struct call *c, const struct network_sriov_destroy_args *a)
{
    const struct network_sriov_rec *sriov;
    const struct pif_rec *logical;

    TRY(txn_network_sriov(c->txn, a->self, &sriov));
    TRY(txn_pif(c->txn, sriov->logical_PIF, &logical));
    TRY(pif_check_unused(c->txn, logical));
    return pif_remove(c->txn, logical);
}

/* Functions that no VM has. */
struct error *api_network_sriov_get_remaining_capacity(
    struct call *c, const struct network_sriov_get_remaining_capacity_args *a, int64_t *ret)
{
    const struct network_sriov_rec *sriov;
    const struct pif_rec *physical;

    TRY(txn_network_sriov(c->txn, a->self, &sriov));
    TRY(txn_pif(c->txn, sriov->physical_PIF, &physical));
    const struct pci_rec *pci = txn_find_pci(c->txn, physical->PCI);
    const struct set_ref *functions = pci ? &txn_inv_pci(c->txn, pci)->virtual_functions : NULL;

    *ret = 0;
    for (size_t i = 0; functions && i < functions->n; i++) {
        const struct pci_rec *f = txn_find_pci(c->txn, functions->v[i]);

        *ret += f && !f->attached_VMs.n && is_null_ref(f->scheduled_to_be_attached_to);
    }
    return NULL;
}
