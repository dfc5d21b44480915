/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vtpm/vtpm.h"

#include "gen/class/VTPM_txn.h"
#include "gen/class/secret_txn.h"
#include "gen/msg/VTPM.h"
#include "rpc/call.h"
#include "rules/ops.h"

const char *vtpm_add(struct txn *t, const char *vm, bool unique, const char *contents)
{
    struct secret_rec *secret = txn_new_secret(t);
    struct vtpm_rec *vtpm = txn_new_vtpm(t);

    secret->value = contents;
    vtpm->VM = vm;
    vtpm->is_unique = unique;
    vtpm->contents = secret->self;
    return vtpm->self;
}

static struct error *delete_one(struct txn *t, const struct vtpm_rec *vtpm)
{
    const char *secret = vtpm->contents;

    TRY(txn_delete_vtpm(t, vtpm->self));
    return txn_find_secret(t, secret) ? txn_delete_secret(t, secret) : NULL;
}

struct error *vtpm_copy_all(struct txn *t, const struct vm_rec *from, const struct vm_rec *to,
                            bool exact)
{
    const struct set_ref *all = &txn_inv_vm(t, from)->VTPMs;

    for (size_t i = 0; i < all->n; i++) {
        const struct vtpm_rec *vtpm = txn_find_vtpm(t, all->v[i]);
        const struct secret_rec *secret = vtpm ? txn_find_secret(t, vtpm->contents) : NULL;
        bool empty = !secret || (vtpm->is_unique && !exact);

        if (vtpm)
            vtpm_add(t, to->self, vtpm->is_unique, empty ? "" : secret->value);
    }
    return NULL;
}

struct error *vtpm_remove_all(struct txn *t, const struct vm_rec *vm)
{
    const struct set_ref *all = &txn_inv_vm(t, vm)->VTPMs;

    for (size_t i = 0; i < all->n; i++) {
        const struct vtpm_rec *vtpm = txn_find_vtpm(t, all->v[i]);

        if (vtpm)
            TRY(delete_one(t, vtpm));
    }
    return NULL;
}

struct error *api_vtpm_create(struct call *c, const struct vtpm_create_args *a, const char **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->vM, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CREATE_VTPM));
    *ret = vtpm_add(c->txn, vm->self, a->is_unique, "");
    return NULL;
}

struct error *api_vtpm_destroy(struct call *c, const struct vtpm_destroy_args *a)
{
    const struct vtpm_rec *vtpm;
    const struct vm_rec *vm;

    TRY(txn_vtpm(c->txn, a->self, &vtpm));
    TRY(txn_vm(c->txn, vtpm->VM, &vm));
    if (vm->power_state != VM_POWER_STATE_HALTED && vm->power_state != VM_POWER_STATE_SUSPENDED)
        return vm_bad_power_state(vm, 1u << VM_POWER_STATE_HALTED | 1u << VM_POWER_STATE_SUSPENDED);
    return delete_one(c->txn, vtpm);
}

struct error *api_vtpm_get_contents(struct call *c, const struct vtpm_get_contents_args *a,
                                    const char **ret)
{
    const struct secret_rec *secret;
    const struct vtpm_rec *vtpm;

    TRY(txn_vtpm(c->txn, a->self, &vtpm));
    TRY(txn_secret(c->txn, vtpm->contents, &secret));
    *ret = secret->value;
    return NULL;
}

struct error *api_vtpm_set_contents(struct call *c, const struct vtpm_set_contents_args *a)
{
    const struct vtpm_rec *vtpm;
    struct secret_rec *secret;

    TRY(txn_vtpm(c->txn, a->self, &vtpm));
    TRY(txn_edit_secret(c->txn, vtpm->contents, &secret));
    secret->value = a->contents;
    return NULL;
}
