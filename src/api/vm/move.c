/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of a VM that is off move to other repositories: they are copied, the VM gets the copies,
 * the originals go. Snapshots of them stay where they are. An original that cannot be erased stays
 * as a disk that no VM has, and the call fails although the VM has moved.
 */
#include "api/vm/move.h"

#include "api/common/host_error.h"
#include "api/vdi/vdi.h"
#include "api/vm/disk_copies.h"
#include "api/vm/domain.h"
#include "api/vm/plans.h"
#include "base/log.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/host_proto.h"
#include "proto/client.h"
#include "rpc/call.h"
#include "value/json.h"

/* What is to be erased: [{"sr": uuid, "vdi": uuid, "ref": reference, "erased": bool}], and why that
 * failed. */
#define ORIGINALS "originals"
#define WHY       "why an original stays"

static struct error *follow_snapshots(struct txn *t, const struct vdi_rec *from, const char *to)
{
    const struct set_ref *snapshots = &txn_inv_vdi(t, from)->snapshots;

    for (size_t i = 0; i < snapshots->n; i++) {
        struct vdi_rec *s;

        TRY(txn_edit_vdi(t, snapshots->v[i], &s));
        s->snapshot_of = to;
    }
    return NULL;
}

static struct error *switch_one(struct plan *p, struct txn *t, const char *vbd_ref, const char *to)
{
    const struct vdi_rec *from;
    const struct sr_rec *sr;
    struct vbd_rec *vbd;

    TRY(txn_edit_vbd(t, vbd_ref, &vbd));
    TRY(txn_vdi(t, vbd->VDI, &from));
    TRY(txn_sr(t, from->SR, &sr));
    json_array_append_new(plan_json(p, ORIGINALS), json_pack("{ss ss ss}", "sr", sr->uuid, "vdi",
                                                             from->uuid, "ref", from->self));
    TRY(follow_snapshots(t, from, to));
    vbd->VDI = to;
    return NULL;
}

static struct error *switch_disks(struct plan *p, struct txn *t)
{
    const struct map_string_string disks = disk_copies_map(p, txn_arena(t));

    plan_set_json(p, ORIGINALS, json_array());
    for (size_t i = 0; i < disks.n; i++)
        TRY(switch_one(p, t, disks.k[i], disks.v[i]));
    return NULL;
}

/* One that cannot be erased stays a disk of its own. */
static struct error *erase_originals(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    json_t *o;
    size_t i;

    json_array_foreach (plan_json(p, ORIGINALS), i, o) {
        const struct host_vdi_destroy_args args = {
            .sr = json_string_value(json_object_get(o, "sr")),
            .uuid = json_string_value(json_object_get(o, "vdi")),
        };
        struct error *e = hostd_vdi_destroy(d->hostd, &args, plan_arena(p), NULL);

        if (hostd_is_away(e))
            return e;
        e = from_host(d->store, e);
        json_object_set_new(o, "erased", json_boolean(!e));
        if (e && !plan_json(p, WHY))
            plan_set_json(p, WHY, error_to_json(e));
        log_and_free(LOG_WARNING, e, "a disk that was moved stays behind as %s", args.uuid);
    }
    return NULL;
}

static struct error *forget_originals(struct plan *p, struct txn *t)
{
    const json_t *o;
    size_t i;

    json_array_foreach (plan_json(p, ORIGINALS), i, o) {
        const struct vdi_rec *row = txn_find_vdi(t, json_string_value(json_object_get(o, "ref")));

        if (!row || !json_is_true(json_object_get(o, "erased")))
            continue;
        TRY(sr_add_allocation(t, row->SR, -row->virtual_size));
        TRY(vdi_remove_row(t, row));
    }
    return NULL;
}

static struct error *tell(struct plan *p)
{
    const json_t *why = plan_json(p, WHY);

    return why ? error_from_json(why) : NULL;
}

static const struct plan_step steps[] = {
    {.name = "copy disks",
     .weight = 8,
     .act = disk_copies_make,
     .record = disk_copies_record,
     .undo = disk_copies_unmake,
     .unrecord = disk_copies_unrecord},
    {.name = "switch", .record = switch_disks, .keeps = true},
    {.name = "erase originals",
     .weight = 1,
     .act = erase_originals,
     .record = forget_originals,
     .keeps = true},
    {.name = "tell", .act = tell},
};

const struct plan_type plan_vm_migrate_send = {
    .name = "VM.migrate_send", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

/* Another VM would lose it. */
static struct error *check_alone(struct call *c, const struct vdi_rec *vdi)
{
    return txn_inv_vdi(c->txn, vdi)->VBDs.n > 1 ? err_vdi_in_use(vdi->self, "migrate_send") : NULL;
}

static const char *target_of(const struct map_ref_ref *vdi_map, const char *vdi)
{
    for (size_t i = 0; i < vdi_map->n; i++)
        if (streq(vdi_map->k[i], vdi))
            return vdi_map->v[i];
    return NULL;
}

/* Those that are to go elsewhere, checked. */
static struct error *find_moving(struct call *c, const struct vm_rec *vm,
                                 const struct map_ref_ref *vdi_map, json_t *list)
{
    const struct set_ref *vbds = &txn_inv_vm(c->txn, vm)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(c->txn, vbds->v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(c->txn, vbd->VDI) : NULL;
        const char *to = vdi ? target_of(vdi_map, vdi->self) : NULL;
        const struct sr_rec *sr;

        if (!to)
            continue;
        TRY(txn_sr(c->txn, to, &sr));
        if (streq(sr->self, vdi->SR))
            continue;
        if (vm->power_state != VM_POWER_STATE_HALTED)
            return err_sr_does_not_support_migration(vdi->SR, "Vdi_mirror");
        TRY(check_alone(c, vdi));
        TRY(disk_copies_add(c, list, vbd->self, vdi, DISK_COPY, sr->self, NULL));
    }
    return NULL;
}

struct error *vm_check_move(struct call *c, const struct vm_rec *vm,
                            const struct map_ref_ref *vdi_map)
{
    _cleanup_json_ json_t *list = json_array();

    return find_moving(c, vm, vdi_map, list);
}

struct error *vm_move(struct call *c, const struct vm_rec *vm, const struct map_ref_ref *vdi_map)
{
    _cleanup_json_ json_t *list = json_array();
    struct plan *p;

    TRY(find_moving(c, vm, vdi_map, list));
    if (!json_array_size(list))
        return NULL;
    TRY(vm_plan(c, &plan_vm_migrate_send, vm->self, VM_OPERATIONS_MIGRATE_SEND, &p));
    plan_set_result(p, vm->self);
    return disk_copies_begin(p, c->txn, json_incref(list));
}
