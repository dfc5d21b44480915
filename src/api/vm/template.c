/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM becomes a template and a template a VM. */
#include "api/common/lists.h"
#include "base/world.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

/* Told by clients that read only this key. */
#define DEFAULT_TEMPLATE_KEY "default_template"

static struct error *check_detached(struct txn *t, const struct vm_rec *vm)
{
    const struct set_ref *vbds = &txn_inv_vm(t, vm)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);

        if (vbd && vbd->currently_attached)
            return err_device_already_attached(vbd->self);
    }
    return NULL;
}

static struct error *note_installed(struct txn *t, const struct vm_rec *vm)
{
    struct vm_metrics_rec *m;

    if (!txn_find_vm_metrics(t, vm->metrics))
        return NULL;
    TRY(txn_edit_vm_metrics(t, vm->metrics, &m));
    m->install_time = now_s();
    return NULL;
}

struct error *api_vm_set_is_a_template(struct call *c, const struct vm_set_is_a_template_args *a)
{
    const struct vm_rec *vm;
    struct vm_rec *edit;

    TRY(txn_vm(c->txn, a->self, &vm));
    if (vm->is_a_snapshot)
        return err_vm_is_snapshot(vm->self,
                                  vm_operations_info.names[VM_OPERATIONS_MAKE_INTO_TEMPLATE]);
    if (vm->is_a_template == a->value)
        return NULL;
    if (a->value) {
        TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_MAKE_INTO_TEMPLATE));
        TRY(check_detached(c->txn, vm));
    } else {
        TRY(note_installed(c->txn, vm));
    }
    TRY(txn_edit_vm(c->txn, a->self, &edit));
    edit->is_a_template = a->value;
    return NULL;
}

struct error *api_vm_set_is_default_template(struct call *c,
                                             const struct vm_set_is_default_template_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->vm, &vm));
    if (a->value && !vm->is_a_template)
        TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_MAKE_INTO_TEMPLATE));
    if (a->value && vm->is_a_snapshot)
        return err_vm_is_snapshot(vm->self, "set_is_default_template");
    vm->is_default_template = a->value;
    vm->is_a_template |= a->value;
    if (a->value)
        map_set(c->arena, &vm->other_config, DEFAULT_TEMPLATE_KEY, "true");
    else
        map_remove(c->arena, &vm->other_config, DEFAULT_TEMPLATE_KEY);
    return NULL;
}
