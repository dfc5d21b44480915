/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A dump takes the place of the database, in one transaction: which rows of it matter, which of
 * ours they are, and which of ours go.
 */
#include "api/common/lists.h"
#include "api/database/restoring.h"
#include "base/uuid.h"
#include "gen/class/PBD_txn.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/VTPM_txn.h"
#include "gen/class/host.h"
#include "gen/class/network_txn.h"
#include "gen/class/pool.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "value/number.h"

/* What becomes of rows of a class. */
enum policy {
    IGNORED,
    MATCHED, /* ours stay; references to them are kept */
    JOINED,  /* added to ours */
    TAKEN,   /* instead of ours */
};

/* In this order, so that the row that others belong to comes first. */
static const struct {
    enum class_id class_id;
    enum policy policy;
    const char *owners[3]; /* fields without which there is no such row */
} plan[] = {
    {CLASS_HOST, MATCHED, {0}},
    {CLASS_POOL, MATCHED, {0}},
    {CLASS_ROLE, MATCHED, {0}},
    {CLASS_GPU_GROUP, MATCHED, {0}},
    {CLASS_VGPU_TYPE, MATCHED, {0}},
    {CLASS_NETWORK, JOINED, {0}},
    {CLASS_SR, JOINED, {0}},
    {CLASS_SECRET, JOINED, {0}},
    {CLASS_PBD, JOINED, {"host", "SR"}},
    {CLASS_VM_APPLIANCE, TAKEN, {0}},
    {CLASS_VMSS, TAKEN, {0}},
    {CLASS_VM_GROUP, TAKEN, {0}},
    {CLASS_VM_METRICS, TAKEN, {0}},
    {CLASS_VM_GUEST_METRICS, TAKEN, {0}},
    {CLASS_VM, TAKEN, {0}},
    {CLASS_VDI, TAKEN, {"SR"}},
    {CLASS_VBD, TAKEN, {"VM"}},
    {CLASS_VIF, TAKEN, {"VM", "network"}},
    {CLASS_VTPM, TAKEN, {"VM"}},
    {CLASS_PVS_SITE, TAKEN, {0}},
    {CLASS_PVS_SERVER, TAKEN, {"site"}},
    {CLASS_PVS_PROXY, TAKEN, {"site", "VIF"}},
    {CLASS_PVS_CACHE_STORAGE, TAKEN, {"host", "SR", "site"}},
    {CLASS_SUBJECT, TAKEN, {0}},
};

const bool database_wanted[CLASS_MAX] = {
    [CLASS_HOST] = true,       [CLASS_POOL] = true,
    [CLASS_ROLE] = true,       [CLASS_GPU_GROUP] = true,
    [CLASS_VGPU_TYPE] = true,  [CLASS_NETWORK] = true,
    [CLASS_SR] = true,         [CLASS_SECRET] = true,
    [CLASS_PBD] = true,        [CLASS_VM_APPLIANCE] = true,
    [CLASS_VMSS] = true,       [CLASS_VM_GROUP] = true,
    [CLASS_VM_METRICS] = true, [CLASS_VM_GUEST_METRICS] = true,
    [CLASS_VM] = true,         [CLASS_VDI] = true,
    [CLASS_VBD] = true,        [CLASS_VIF] = true,
    [CLASS_VTPM] = true,       [CLASS_PVS_SITE] = true,
    [CLASS_PVS_SERVER] = true, [CLASS_PVS_PROXY] = true,
    [CLASS_SUBJECT] = true,    [CLASS_PVS_CACHE_STORAGE] = true,
};

struct error *database_check_version(const struct dump *dump, bool force)
{
    const struct dump_manifest *m = &dump->manifest;
    bool same = m->schema_major == DUMP_SCHEMA_MAJOR && m->schema_minor == DUMP_SCHEMA_MINOR;

    if (same || (force && m->schema_major == DUMP_SCHEMA_MAJOR))
        return NULL;
    return error_detail(err_restore_incompatible_version(), "schema %lld.%lld, not %d.%d",
                        (long long)m->schema_major, (long long)m->schema_minor, DUMP_SCHEMA_MAJOR,
                        DUMP_SCHEMA_MINOR);
}

struct restored *restore_find(const struct restoring *r, const char *ref)
{
    return ref_is_set(ref) ? strmap_find(&r->index, ref) : NULL;
}

/* ---- which row of ours it is ---- */

static const char *text_of(const struct dump_row *row, const char *name)
{
    const struct struct_info *si = classes[row->class_id].info;
    int f = field_find(si, name);

    return f < 0 ? "" : *(const char *const *)field_at(&si->fields[f], row->rec);
}

static const char *self_of(const void *rec)
{
    return rec ? *(const char *const *)rec : NULL;
}

static struct error *check_uuid(struct restoring *r, const struct dump_row *row)
{
    const char *class_name = classes[row->class_id].name, *uuid = text_of(row, "uuid");
    const char *where = arena_printf(r->a, "uuid of %s %.60s", class_name, row->ref);
    bool twice =
        strmap_set(&r->uuids, arena_printf(r->a, "%s %s", class_name, uuid), r->rows) != NULL;

    return uuid_is_plain(uuid) && !twice ? NULL : err_invalid_value(where, uuid);
}

static const void *find_bridge(struct restoring *r, const char *bridge)
{
    const struct network_rec *const *all;
    size_t n = *bridge ? txn_all_network(r->t, &all) : 0;

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->bridge, bridge))
            return all[i];
    return NULL;
}

static const void *find_pbd(struct restoring *r, const struct pbd_rec *pbd)
{
    const struct restored *sr = restore_find(r, pbd->SR);
    const struct pbd_rec *const *all;
    size_t n = txn_all_pbd(r->t, &all);

    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->SR, sr->ref) && streq(all[i]->host, r->daemon->host_ref))
            return all[i];
    return NULL;
}

static const void *find_ours(struct restoring *r, const struct dump_row *row)
{
    const struct vm_rec *vm = row->rec;

    if (row->class_id == CLASS_HOST)
        return streq(row->ref, r->master) ? txn_find(r->t, CLASS_HOST, r->daemon->host_ref) : NULL;
    if (row->class_id == CLASS_POOL)
        return txn_find(r->t, CLASS_POOL, r->daemon->pool_ref);
    if (row->class_id == CLASS_PBD)
        return find_pbd(r, row->rec);
    if (row->class_id == CLASS_VM && vm->is_control_domain) {
        const struct host_rec *h = txn_find(r->t, CLASS_HOST, r->daemon->host_ref);

        return h && streq(vm->resident_on, r->master) ? txn_find(r->t, CLASS_VM, h->control_domain)
                                                      : NULL;
    }
    const void *ours = txn_find_uuid(r->t, row->class_id, text_of(row, "uuid"));

    return ours || row->class_id != CLASS_NETWORK ? ours : find_bridge(r, text_of(row, "bridge"));
}

static bool has_owners(struct restoring *r, const struct dump_row *row, const char *const *owners)
{
    for (int i = 0; i < 3 && owners[i]; i++) {
        const struct restored *o = restore_find(r, text_of(row, owners[i]));
        /* Devices of a control domain are the machine's. */
        bool machine = o && o->row->class_id == CLASS_VM && !o->edit;

        if (!o || !o->ref || machine)
            return false;
    }
    return true;
}

/* References have a form, and nobody else may have this one. */
static void *insert(struct restoring *r, const struct dump_row *row)
{
    bool fits = str_starts(row->ref, REF_PREFIX) &&
                uuid_is_plain(row->ref + sizeof(REF_PREFIX) - 1) &&
                !txn_find(r->t, row->class_id, row->ref);

    return fits ? txn_insert_ref(r->t, row->class_id, row->ref) : txn_insert(r->t, row->class_id);
}

static struct error *decide(struct restoring *r, struct restored *o, enum policy policy)
{
    const struct dump_row *row = o->row;
    const struct vm_rec *vm = row->rec;
    bool machine = policy == MATCHED || (row->class_id == CLASS_VM && vm->is_control_domain);

    TRY(check_uuid(r, row));
    o->ours = find_ours(r, row);
    o->ref = self_of(o->ours);
    if (machine || (o->ours && row->class_id == CLASS_PBD))
        return NULL;
    if (o->ours)
        TRY(txn_edit(r->t, row->class_id, o->ref, &o->edit));
    else
        o->edit = insert(r, row);
    o->ref = self_of(o->edit);
    strmap_set(&r->targets, o->ref, o);
    return NULL;
}

/* Metrics of the control domains that are left out are left out as well. */
static bool is_orphan(const struct restoring *r, const struct dump_row *row)
{
    if (row->class_id != CLASS_VM_METRICS && row->class_id != CLASS_VM_GUEST_METRICS)
        return false;
    return !strmap_find(&r->metrics, row->ref);
}

static void note_metrics(struct restoring *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct dump_row *row = r->rows[i].row;
        struct vm_rec *vm = row->class_id == CLASS_VM ? row->rec : NULL;

        if (!vm || vm->is_control_domain)
            continue;
        strmap_set(&r->metrics, vm->metrics, vm);
        strmap_set(&r->metrics, vm->guest_metrics, vm);
    }
}

static struct error *decide_all(struct restoring *r)
{
    note_metrics(r);
    for (size_t p = 0; p < ARRAY_SIZE(plan); p++)
        for (size_t i = 0; i < r->n; i++) {
            struct restored *o = &r->rows[i];

            if (o->row->class_id == plan[p].class_id && has_owners(r, o->row, plan[p].owners) &&
                !is_orphan(r, o->row))
                TRY(decide(r, o, plan[p].policy));
        }
    return NULL;
}

/* ---- which of ours go ---- */

/* What belongs to the machine, and disks of repositories that the dump does not know. */
static bool stays(struct restoring *r, enum class_id class_id, const void *rec)
{
    const struct vm_rec *dom0 = r->dom0;

    switch (class_id) {
    case CLASS_VM:
        return ((const struct vm_rec *)rec)->is_control_domain;
    case CLASS_VM_METRICS:
        return dom0 && streq(self_of(rec), dom0->metrics);
    case CLASS_VM_GUEST_METRICS:
        return dom0 && streq(self_of(rec), dom0->guest_metrics);
    case CLASS_VBD:
        return dom0 && streq(((const struct vbd_rec *)rec)->VM, dom0->self);
    case CLASS_VIF:
        return dom0 && streq(((const struct vif_rec *)rec)->VM, dom0->self);
    case CLASS_VTPM:
        return dom0 && streq(((const struct vtpm_rec *)rec)->VM, dom0->self);
    case CLASS_VDI:
        return !strmap_find(&r->targets, ((const struct vdi_rec *)rec)->SR);
    default:
        return false;
    }
}

static struct error *check_vm(struct restoring *r, const struct vm_rec *vm)
{
    if (vm_is_live(vm) && !vm->is_control_domain)
        return err_host_in_use(r->daemon->host_ref, "VM", vm->self);
    return NULL;
}

/* Who works on something would find it changed under his hands. */
static struct error *check_idle(enum class_id class_id, const void *rec)
{
    const struct struct_info *si = classes[class_id].info;
    int i = field_find(si, "current_operations");
    const struct map_string_enum *ops = i < 0 ? NULL : field_at(&si->fields[i], rec);

    if (!ops || !ops->n)
        return NULL;
    return err_other_operation_in_progress(classes[class_id].name, self_of(rec),
                                           enum_text(si->fields[i].type->elem->en, ops->v[0]),
                                           ops->k[0]);
}

static struct error *check_class(struct restoring *r, enum class_id class_id)
{
    const void *const *all;
    size_t n = txn_all(r->t, class_id, &all);

    for (size_t i = 0; i < n; i++) {
        if (class_id == CLASS_VM)
            TRY(check_vm(r, all[i]));
        TRY(check_idle(class_id, all[i]));
    }
    return NULL;
}

static struct error *check_ours(struct restoring *r)
{
    static const enum class_id of[] = {CLASS_VM, CLASS_VDI, CLASS_SR, CLASS_VBD, CLASS_VIF};

    for (size_t i = 0; i < ARRAY_SIZE(of); i++)
        TRY(check_class(r, of[i]));
    return NULL;
}

static struct error *remove_class(struct restoring *r, enum class_id class_id)
{
    const void *const *all;
    size_t n = txn_all(r->t, class_id, &all);

    for (size_t i = 0; i < n; i++) {
        const char *ref = self_of(all[i]);

        if (strmap_find(&r->targets, ref) || stays(r, class_id, all[i]))
            continue;
        if (class_id == CLASS_VM)
            vec_add(&r->gone, ((const struct vm_rec *)all[i])->uuid);
        TRY(txn_delete(r->t, class_id, ref));
    }
    return NULL;
}

static struct error *remove_ours(struct restoring *r)
{
    for (size_t p = 0; p < ARRAY_SIZE(plan); p++)
        if (plan[p].policy == TAKEN)
            TRY(remove_class(r, plan[p].class_id));
    return NULL;
}

/* ---- */

static struct error *find_master(struct restoring *r)
{
    const struct pool_rec *pool = NULL;

    vec_foreach (row, &r->dump->rows) {
        if (row->class_id == CLASS_POOL && pool)
            return err_invalid_value("pool", "there are two of them");
        if (row->class_id == CLASS_POOL)
            pool = row->rec;
    }
    if (!pool)
        return err_invalid_value("pool", "there is none");
    vec_foreach (row, &r->dump->rows)
        if (row->class_id == CLASS_HOST && streq(row->ref, pool->master)) {
            r->master = row->ref;
            return NULL;
        }
    return err_invalid_value("pool.master", pool->master);
}

static void make_index(struct restoring *r)
{
    size_t n = 0;

    r->n = r->dump->rows.n;
    r->rows = arena_array(r->a, struct restored, r->n + 1);
    vec_foreach (row, &r->dump->rows) {
        r->rows[n].row = row;
        strmap_set(&r->index, row->ref, &r->rows[n++]);
    }
}

static struct error *fill(struct restoring *r)
{
    const struct host_rec *h = txn_find(r->t, CLASS_HOST, r->daemon->host_ref);

    r->dom0 = h ? txn_find_vm(r->t, h->control_domain) : NULL;
    TRY(find_master(r));
    TRY(check_ours(r));
    make_index(r);
    TRY(decide_all(r));
    TRY(remove_ours(r));
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].ref && (r->rows[i].edit || r->rows[i].row->class_id == CLASS_POOL))
            TRY(restore_row(r, &r->rows[i]));
    return NULL;
}

struct error *database_restore_fill(void *ctx, struct txn *t)
{
    struct database_restore *in = ctx;
    struct restoring r = {.t = t, .a = txn_arena(t), .daemon = in->daemon, .dump = in->dump};
    struct error *e = fill(&r);

    in->n_gone = r.gone.n;
    in->gone = arena_memdup(r.a, r.gone.v, r.gone.n * sizeof(*r.gone.v));
    vec_fini(&r.gone);
    strmap_fini(&r.index);
    strmap_fini(&r.targets);
    strmap_fini(&r.metrics);
    strmap_fini(&r.uuids);
    return e;
}
