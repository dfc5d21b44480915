/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VBD.set_mode, assert_attachable, pause, unpause. */
#include "api/vbd/vbd.h"
#include "gen/msg/VBD.h"
#include "rpc/call.h"
#include "rules/ops.h"
#include "rules/vm_tables.h"

struct error *api_vbd_set_mode(struct call *c, const struct vbd_set_mode_args *a)
{
    struct vbd_rec *edit;
    struct vbd_ends e;

    TRY(vbd_ends(c->txn, a->self, &e));
    if (e.vm->power_state != VM_POWER_STATE_HALTED)
        return vm_bad_power_state(e.vm, VM_STATE(HALTED));
    if (e.vbd->type == VBD_TYPE_CD && a->value != VBD_MODE_RO)
        return err_vbd_cds_must_be_readonly();
    if (e.vdi && a->value == VBD_MODE_RW && e.vdi->read_only)
        return err_vdi_readonly(e.vdi->self);
    TRY(txn_edit_vbd(c->txn, a->self, &edit));
    edit->mode = a->value;
    return NULL;
}

struct error *api_vbd_assert_attachable(struct call *c, const struct vbd_assert_attachable_args *a)
{
    struct vbd_ends e;

    TRY(vbd_ends(c->txn, a->self, &e));
    TRY(vbd_op_check(txn_view(c->txn), e.vbd, VBD_OPERATIONS_ATTACH));
    return vbd_check_storage(c, e.vdi);
}

/* Calls of old storage managers; disks are never paused one by one here. */
static struct error *cannot_pause(struct call *c, const char *vbd, enum vbd_operations op)
{
    const struct vbd_rec *rec;

    TRY(txn_vbd(c->txn, vbd, &rec));
    return vbd_op_check(txn_view(c->txn), rec, op);
}

struct error *api_vbd_pause(struct call *c, const struct vbd_pause_args *a, const char **ret)
{
    *ret = "";
    return cannot_pause(c, a->self, VBD_OPERATIONS_PAUSE);
}

struct error *api_vbd_unpause(struct call *c, const struct vbd_unpause_args *a)
{
    return cannot_pause(c, a->self, VBD_OPERATIONS_UNPAUSE);
}
