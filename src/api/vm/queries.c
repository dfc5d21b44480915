/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about a VM that its record does not answer. */
#include "api/vm/boot_checks.h"
#include "gen/class/PIF_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/network_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/devices.h"
#include "rules/ops.h"

/* Answers at once, also that something else is under way. */
struct error *api_vm_assert_operation_valid(struct call *c,
                                            const struct vm_assert_operation_valid_args *a)
{
    const struct vm_rec *vm;
    struct error *why = NULL;

    c->no_wait = true;
    TRY(txn_vm(c->txn, a->self, &vm));
    vm_op_allowed(txn_view(c->txn), vm, (enum vm_operations)a->op, true, &why);
    return why;
}

/* The list is always right; that the VM exists is all there is to check. */
struct error *api_vm_update_allowed_operations(struct call *c,
                                               const struct vm_update_allowed_operations_args *a)
{
    const struct vm_rec *vm;

    return txn_vm(c->txn, a->self, &vm);
}

struct error *api_vm_get_allowed_vbd_devices(struct call *c,
                                             const struct vm_get_allowed_vbd_devices_args *a,
                                             struct set_string *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    *ret = vbd_devices_free(txn_view(c->txn), c->arena, vm, VBD_TYPE_DISK);
    return NULL;
}

struct error *api_vm_get_allowed_vif_devices(struct call *c,
                                             const struct vm_get_allowed_vif_devices_args *a,
                                             struct set_string *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    *ret = vif_devices_free(txn_view(c->txn), c->arena, vm);
    return NULL;
}

struct error *api_vm_assert_can_boot_here(struct call *c,
                                          const struct vm_assert_can_boot_here_args *a)
{
    const struct host_rec *host;
    const struct vm_rec *vm;

    c->no_wait = true;
    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(txn_host(c->txn, a->host, &host));
    if (!streq(host->self, c->daemon->host_ref))
        return err_host_not_live();
    return vm_boot_checks(c->daemon, c->txn, vm);
}

struct error *api_vm_get_possible_hosts(struct call *c, const struct vm_get_possible_hosts_args *a,
                                        struct set_ref *ret)
{
    const char **host = arena_new(c->arena, const char *);
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vm, &vm));
    struct error *why = vm_boot_checks(c->daemon, c->txn, vm);

    *host = c->daemon->host_ref;
    *ret = (struct set_ref){.n = why ? 0 : 1, .v = host};
    error_free(why);
    return NULL;
}

struct error *api_vm_get_boot_record(struct call *c, const struct vm_get_boot_record_args *a,
                                     struct vm_rec *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_GET_BOOT_RECORD));
    *ret = *vm;
    return NULL;
}

static struct error *check_srs_shared(struct txn *t, const struct vm_rec *vm)
{
    const struct set_ref *vbds = &txn_inv_vm(t, vm)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);
        const struct vdi_rec *vdi = vbd ? txn_find_vdi(t, vbd->VDI) : NULL;
        const struct sr_rec *sr = vdi ? txn_find_sr(t, vdi->SR) : NULL;

        if (sr && !sr->shared)
            return err_ha_constraint_violation_sr_not_shared(sr->self);
    }
    return NULL;
}

static bool reaches(struct txn *t, const struct network_rec *network, const struct host_rec *host)
{
    const struct set_ref *pifs = &txn_inv_network(t, network)->PIFs;

    for (size_t i = 0; i < pifs->n; i++) {
        const struct pif_rec *pif = txn_find_pif(t, pifs->v[i]);

        if (pif && streq(pif->host, host->self))
            return true;
    }
    return false;
}

/* Every host can attach the network: a single host always can. */
static bool network_is_shared(struct txn *t, const struct network_rec *network)
{
    const struct host_rec *const *hosts;
    size_t n = txn_all_host(t, &hosts);

    for (size_t i = 0; n > 1 && i < n; i++)
        if (!reaches(t, network, hosts[i]))
            return false;
    return true;
}

struct error *api_vm_assert_agile(struct call *c, const struct vm_assert_agile_args *a)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    TRY(check_srs_shared(c->txn, vm));
    const struct set_ref *vifs = &txn_inv_vm(c->txn, vm)->VIFs;

    for (size_t i = 0; i < vifs->n; i++) {
        const struct vif_rec *vif = txn_find_vif(c->txn, vifs->v[i]);
        const struct network_rec *network = vif ? txn_find_network(c->txn, vif->network) : NULL;

        if (network && !network_is_shared(c->txn, network))
            return err_ha_constraint_violation_network_not_shared(network->self);
    }
    return NULL;
}
