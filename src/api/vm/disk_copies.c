/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/disk_copies.h"

#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/data_copy.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "rpc/call.h"
#include "rules/lookup.h"
#include "rules/ops.h"

#define STATE "disks"

/*
 * An element of the list: vbd; vdi, uuid, sr: the source (reference, uuid, uuid of its repository);
 * how; new, new_uuid, to, to_uuid: the disk made, or the one put back, and its repository. The
 * reference of a disk that is made is known from its record on.
 */

static const struct {
    enum vdi_operations vdi;
    enum storage_operations sr;
    bool marks_sr; /* copies take long and get along with everything else on a repository */
} operations[DISK_HOW_MAX] = {
    [DISK_SNAPSHOT] = {VDI_OPERATIONS_SNAPSHOT, STORAGE_OPERATIONS_VDI_SNAPSHOT, true},
    [DISK_CLONE] = {VDI_OPERATIONS_CLONE, STORAGE_OPERATIONS_VDI_CLONE, true},
    [DISK_COPY] = {VDI_OPERATIONS_COPY, STORAGE_OPERATIONS_VDI_CREATE, false},
    [DISK_REVERT] = {VDI_OPERATIONS_REVERT_FROM, STORAGE_OPERATIONS_VDI_REVERT, true},
};

static const char *text_of(const json_t *disk, const char *key)
{
    const char *s = json_string_value(json_object_get(disk, key));

    return s ? s : "";
}

static enum disk_how how_of(const json_t *disk)
{
    return (enum disk_how)json_integer_value(json_object_get(disk, "how"));
}

struct error *disk_copies_add(struct call *c, json_t *list, const char *vbd,
                              const struct vdi_rec *vdi, enum disk_how how, const char *to,
                              const struct vdi_rec *target)
{
    const struct sr_rec *from, *sr;

    TRY(txn_sr(c->txn, vdi->SR, &from));
    if (how == DISK_CLONE &&
        !driver_has_feature(find_driver(txn_view(c->txn), from->type), "VDI_CLONE"))
        how = DISK_COPY;
    TRY(txn_sr(c->txn, how == DISK_COPY && to ? to : vdi->SR, &sr));
    TRY(vdi_op_check(txn_view(c->txn), vdi, operations[how].vdi));
    TRY(sr_op_check(txn_view(c->txn), sr, operations[how].sr));
    TRY(sr_check_attached(c->daemon, c->txn, from));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    if (target)
        TRY(vdi_op_check(txn_view(c->txn), target, VDI_OPERATIONS_REVERT_TO));
    struct uuid_text uuid = uuid_random();

    json_array_append_new(list, json_pack("{ss ss ss ss si ss ss ss ss}", "vbd", vbd, "vdi",
                                          vdi->self, "uuid", vdi->uuid, "sr", from->uuid, "how",
                                          (int)how, "new", target ? target->self : "", "new_uuid",
                                          target ? target->uuid : uuid.s, "to", sr->self, "to_uuid",
                                          sr->uuid));
    return NULL;
}

static bool is_in(const struct set_ref *set, const char *ref)
{
    for (size_t i = 0; set && i < set->n; i++)
        if (streq(set->v[i], ref))
            return true;
    return false;
}

struct error *disk_copies_of_vm(struct call *c, const struct vm_rec *vm, enum disk_how how,
                                const char *to, const struct set_ref *ignore, json_t **ret)
{
    const struct set_ref *vbds = &txn_inv_vm(c->txn, vm)->VBDs;
    json_t *list = json_array();
    struct error *e = NULL;

    for (size_t i = 0; i < vbds->n && !e; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(c->txn, vbds->v[i]);
        const struct vdi_rec *vdi =
            vbd && vbd->type == VBD_TYPE_DISK ? txn_find_vdi(c->txn, vbd->VDI) : NULL;

        if (vdi && !is_in(ignore, vdi->self))
            e = disk_copies_add(c, list, vbd->self, vdi, how, to, NULL);
    }
    if (e) {
        json_decref(list);
        return e;
    }
    *ret = list;
    return NULL;
}

struct error *disk_copies_begin(struct plan *p, struct txn *t, json_t *list)
{
    json_t *disk;
    size_t i;

    plan_set_json(p, STATE, list);
    json_array_foreach (list, i, disk) {
        enum disk_how how = how_of(disk);
        const char *vdi = arena_strdup(txn_arena(t), text_of(disk, "vdi"));
        const char *target = arena_strdup(txn_arena(t), text_of(disk, "new"));
        const char *sr = arena_strdup(txn_arena(t), text_of(disk, "to"));

        TRY(plan_mark(p, t, CLASS_VDI, vdi, (int)operations[how].vdi));
        if (how == DISK_REVERT)
            TRY(plan_mark(p, t, CLASS_VDI, target, VDI_OPERATIONS_REVERT_TO));
        if (operations[how].marks_sr)
            TRY(plan_mark(p, t, CLASS_SR, sr, (int)operations[how].sr));
    }
    return NULL;
}

/* What hostd says of both ends of one disk; kept from the act to its record. */
struct made {
    struct host_vdi_rec source; /* uuid NULL: unchanged */
    struct host_vdi_rec made;
};

static struct error *shoot(struct plan *p, const json_t *disk, struct made *ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_snapshot_args args = {.sr = text_of(disk, "sr"),
                                                .uuid = text_of(disk, "uuid"),
                                                .snapshot = text_of(disk, "new_uuid")};
    struct host_vdi_snapshot_result result;

    TRY(hostd_vdi_snapshot(d->hostd, &args, plan_arena(p), &result));
    *ret = (struct made){result.vdi, result.snapshot};
    return NULL;
}

static struct error *share(struct plan *p, const json_t *disk, struct made *ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_clone_args args = {.sr = text_of(disk, "sr"),
                                             .uuid = text_of(disk, "uuid"),
                                             .clone = text_of(disk, "new_uuid")};
    struct host_vdi_clone_result result;

    TRY(hostd_vdi_clone(d->hostd, &args, plan_arena(p), &result));
    *ret = (struct made){result.vdi, result.clone};
    return NULL;
}

static struct error *revert(struct plan *p, const json_t *disk, struct made *ret)
{
    struct daemon *d = plan_daemon(p);
    const struct host_vdi_revert_args args = {.sr = text_of(disk, "to_uuid"),
                                              .uuid = text_of(disk, "new_uuid"),
                                              .snapshot = text_of(disk, "uuid")};
    struct host_vdi_revert_result result;

    TRY(hostd_vdi_revert(d->hostd, &args, plan_arena(p), &result));
    ret->made = result.vdi;
    return NULL;
}

static struct error *copy(struct plan *p, const json_t *disk, size_t i, size_t n, struct made *ret)
{
    const struct host_vdi_copy_args args = {.sr = text_of(disk, "sr"),
                                            .uuid = text_of(disk, "uuid"),
                                            .to_sr = text_of(disk, "to_uuid"),
                                            .copy = text_of(disk, "new_uuid")};
    struct host_vdi_copy_result *result;

    TRY(vdi_data_copy(p, &args, (double)i / (double)n, 1.0 / (double)n, &result));
    ret->made = result->vdi;
    return NULL;
}

/* The image explains itself elsewhere by what the row says. */
static struct error *name_made(struct plan *p, const json_t *disk)
{
    struct daemon *d = plan_daemon(p);
    _cleanup_arena_ struct arena a;
    const struct vdi_rec *vdi;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_vdi(t, text_of(disk, "vdi"), &vdi));
    const struct host_vdi_set_props_args args = {
        .sr = text_of(disk, "to_uuid"),
        .uuid = text_of(disk, "new_uuid"),
        .props = vdi_props(&a, vdi->name_label, vdi->name_description, vdi->type),
    };

    return hostd_vdi_set_props(d->hostd, &args, &a, NULL);
}

static struct error *make_one(struct plan *p, const json_t *disk, size_t i, size_t n,
                              struct made *ret)
{
    switch (how_of(disk)) {
    case DISK_SNAPSHOT:
        TRY(shoot(p, disk, ret));
        break;
    case DISK_CLONE:
        TRY(share(p, disk, ret));
        break;
    case DISK_COPY:
        TRY(copy(p, disk, i, n, ret));
        break;
    case DISK_REVERT:
    case DISK_HOW_MAX:
        return revert(p, disk, ret);
    }
    return name_made(p, disk);
}

struct error *disk_copies_make(struct plan *p)
{
    json_t *list = plan_json(p, STATE), *disk;
    size_t i, n = json_array_size(list);
    struct made *made = arena_array(plan_arena(p), struct made, n);

    json_array_foreach (list, i, disk) {
        if (plan_is_cancelled(p) && !plan_bool(p, DISK_COPIES_FINISH))
            return plan_cancelled(p);
        TRY(from_host(plan_daemon(p)->store, make_one(p, disk, i, n, &made[i])));
        plan_progress(p, (double)(i + 1) / (double)n);
    }
    plan_set_memo(p, made);
    return NULL;
}

static struct error *record_reverted(struct txn *t, const json_t *disk, const struct made *m)
{
    struct vdi_rec *row;

    TRY(txn_edit_vdi(t, text_of(disk, "new"), &row));
    int64_t grown = m->made.virtual_size - row->virtual_size;

    vdi_fill(row, &m->made);
    return sr_add_allocation(t, row->SR, grown);
}

static struct error *record_source(struct txn *t, const json_t *disk, const struct made *m)
{
    struct vdi_rec *row;

    if (!m->source.uuid)
        return NULL;
    TRY(txn_edit_vdi(t, text_of(disk, "vdi"), &row));
    row->physical_utilisation = m->source.physical_utilisation;
    return NULL;
}

static struct error *record_one(struct plan *p, struct txn *t, json_t *disk, const struct made *m)
{
    const struct vdi_rec *source;
    struct vdi_rec *row;

    if (how_of(disk) == DISK_REVERT)
        return record_reverted(t, disk, m);
    TRY(record_source(t, disk, m));
    TRY(txn_vdi(t, text_of(disk, "vdi"), &source));
    row = vdi_inherit(t, source);
    json_object_set_new(disk, "new", json_string(row->self));
    row->uuid = text_of(disk, "new_uuid");
    row->SR = text_of(disk, "to");
    vdi_fill(row, &m->made);
    if (how_of(disk) == DISK_SNAPSHOT) {
        row->is_a_snapshot = true;
        row->snapshot_of = source->self;
        row->snapshot_time = plan_int(p, "time");
    }
    return sr_add_allocation(t, row->SR, row->virtual_size);
}

struct error *disk_copies_record(struct plan *p, struct txn *t)
{
    const struct made *made = plan_memo(p);
    json_t *disk;
    size_t i;

    json_array_foreach (plan_json(p, STATE), i, disk)
        TRY(record_one(p, t, disk, &made[i]));
    return NULL;
}

/* All are tried; the first failure is told. */
struct error *disk_copies_unmake(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    struct error *first = NULL;
    json_t *disk;
    size_t i;

    json_array_foreach (plan_json(p, STATE), i, disk) {
        const struct host_vdi_destroy_args args = {.sr = text_of(disk, "to_uuid"),
                                                   .uuid = text_of(disk, "new_uuid")};

        if (how_of(disk) == DISK_REVERT)
            continue;
        struct error *e = hostd_vdi_destroy(d->hostd, &args, plan_arena(p), NULL);

        if (!first)
            first = e;
        else
            error_free(e);
    }
    return from_host(d->store, first);
}

struct error *disk_copies_unrecord(struct plan *p, struct txn *t)
{
    json_t *disk;
    size_t i;

    json_array_foreach (plan_json(p, STATE), i, disk) {
        const struct vdi_rec *row = txn_find_vdi_uuid(t, text_of(disk, "new_uuid"));

        if (!row || how_of(disk) == DISK_REVERT)
            continue;
        TRY(sr_add_allocation(t, row->SR, -row->virtual_size));
        TRY(vdi_remove_row(t, row));
    }
    return NULL;
}

struct map_string_string disk_copies_map(struct plan *p, struct arena *a)
{
    json_t *list = plan_json(p, STATE), *disk;
    size_t i, n = json_array_size(list);
    const char **k = arena_array(a, const char *, n), **v = arena_array(a, const char *, n);

    json_array_foreach (list, i, disk) {
        k[i] = arena_strdup(a, text_of(disk, "vbd"));
        v[i] = arena_strdup(a, text_of(disk, "new"));
    }
    return (struct map_string_string){.n = n, .k = k, .v = v};
}
