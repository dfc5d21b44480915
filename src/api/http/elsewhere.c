/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/elsewhere.h"

#include "api/common/lists.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"

static bool is_alive(struct txn *x, const struct host_rec *host)
{
    const struct host_metrics_rec *m = txn_find_host_metrics(x, host->metrics);

    return m && m->live;
}

static bool sees(struct txn *x, const char *host, const char *ref)
{
    const struct sr_rec *sr = txn_find_sr(x, ref);
    const struct sr_inv *inv = sr ? txn_inv_sr(x, sr) : NULL;

    for (size_t i = 0; inv && i < inv->PBDs.n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(x, inv->PBDs.v[i]);

        if (pbd && pbd->currently_attached && streq(pbd->host, host))
            return true;
    }
    return false;
}

static bool sees_all(struct txn *x, const char *host, const struct set_ref *srs)
{
    for (size_t i = 0; i < srs->n; i++)
        if (!sees(x, host, srs->v[i]))
            return false;
    return true;
}

static const char *seeing_all(struct txn *x, const char *here, const struct set_ref *srs)
{
    const struct host_rec *const *all;
    size_t n = txn_all_host(x, &all);

    if (sees_all(x, here, srs))
        return "";
    for (size_t i = 0; i < n; i++)
        if (!streq(all[i]->self, here) && is_alive(x, all[i]) && sees_all(x, all[i]->self, srs))
            return all[i]->self;
    return "";
}

const char *host_seeing_sr(struct txn *x, const char *here, const char *sr)
{
    const struct set_ref srs = {.n = 1, .v = &sr};

    return seeing_all(x, here, &srs);
}

const char *host_seeing_vm(struct txn *x, const char *here, const char *ref)
{
    const struct vm_rec *vm = txn_find_vm(x, ref);
    const struct vm_inv *inv = vm ? txn_inv_vm(x, vm) : NULL;
    struct set_ref srs = {0};

    for (size_t i = 0; inv && i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(x, inv->VBDs.v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(x, vbd->VDI) : NULL;

        if (vdi && !refs_have(&srs, vdi->SR))
            refs_add(txn_arena(x), &srs, vdi->SR);
    }
    return seeing_all(x, here, &srs);
}

const char *host_being_master(struct txn *x, const char *here)
{
    const struct pool_rec *const *pools;
    const struct host_rec *master =
        txn_all_pool(x, &pools) ? txn_find_host(x, pools[0]->master) : NULL;

    return master && !streq(master->self, here) && is_alive(x, master) ? master->self : "";
}

const char *host_running_vm(struct txn *x, const char *here, const char *ref)
{
    const struct vm_rec *vm = txn_find_vm(x, ref);
    const struct host_rec *host = vm ? txn_find_host(x, vm->resident_on) : NULL;

    if (!vm || (host && streq(host->self, here)))
        return "";
    return host && is_alive(x, host) ? host->self : host_being_master(x, here);
}

const char *host_location(struct txn *x, const char *ref, const char *target)
{
    const struct host_rec *host = txn_find_host(x, ref);
    const char *address = host ? host->address : "";
    const bool is_v6 = strchr(address, ':') != NULL;

    if (!*address || *target != '/')
        return NULL;
    return arena_printf(txn_arena(x), "https://%s%s%s%s", is_v6 ? "[" : "", address,
                        is_v6 ? "]" : "", target);
}
