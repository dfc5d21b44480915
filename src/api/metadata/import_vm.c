/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of VMs that come from elsewhere. */
#include "api/common/lists.h"
#include "api/common/rows.h"
#include "api/metadata/importing.h"
#include "api/vm/duplicate.h"
#include "api/vm/params.h"
#include "api/vtpm/vtpm.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VGPU_txn.h"
#include "gen/class/VIF_txn.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/class/VM_metrics_txn.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/ops.h"
#include "value/refs.h"

#include <inttypes.h>

static bool is_default_template(const struct vm_rec *vm)
{
    return vm->is_default_template || map_is_true(&vm->other_config, "default_template");
}

/* Every pool has those that come with the product. */
static const char *find_default_template(struct importing *im, const struct vm_rec *vm)
{
    const struct vm_rec *const *all;
    size_t n = txn_all_vm(im->t, &all);

    for (size_t i = 0; i < n; i++) {
        bool same = *vm->reference_label ? streq(all[i]->reference_label, vm->reference_label)
                                         : streq(all[i]->name_label, vm->name_label);

        if (same && all[i]->is_default_template)
            return all[i]->self;
    }
    return NULL;
}

/* ---- one that is there already ---- */

static struct error *check_replaceable(struct importing *im, const struct vm_rec *old,
                                       const struct vm_rec *vm)
{
    if (vm->version < old->version && !im->options->force)
        return err_vm_to_import_is_not_newer_version(old->self,
                                                     arena_printf(im->a, "%" PRId64, old->version),
                                                     arena_printf(im->a, "%" PRId64, vm->version));
    return vm_op_check(txn_view(im->t), old, VM_OPERATIONS_DESTROY);
}

static struct error *clear(struct importing *im, const struct vm_rec *old)
{
    const struct vm_inv *inv = txn_inv_vm(im->t, old);

    for (size_t i = 0; i < inv->VBDs.n; i++)
        TRY(txn_delete_vbd(im->t, inv->VBDs.v[i]));
    for (size_t i = 0; i < inv->VIFs.n; i++)
        TRY(txn_delete_vif(im->t, inv->VIFs.v[i]));
    for (size_t i = 0; i < inv->VGPUs.n; i++)
        TRY(txn_delete_vgpu(im->t, inv->VGPUs.v[i]));
    TRY(vtpm_remove_all(im->t, old));
    if (txn_find_vm_metrics(im->t, old->metrics))
        TRY(txn_delete_vm_metrics(im->t, old->metrics));
    if (txn_find_vm_guest_metrics(im->t, old->guest_metrics))
        TRY(txn_delete_vm_guest_metrics(im->t, old->guest_metrics));
    return NULL;
}

static struct error *check_seed(struct importing *im, const struct vm_rec *vm)
{
    const char *seed = map_find(&vm->other_config, "mac_seed");
    const struct vm_rec *const *all;
    size_t n = seed && !vm->is_a_snapshot && !im->options->force ? txn_all_vm(im->t, &all) : 0;

    for (size_t i = 0; i < n; i++) {
        const char *other = map_find(&all[i]->other_config, "mac_seed");

        if (other && streq(other, seed) && !streq(all[i]->uuid, vm->uuid) && !all[i]->is_a_template)
            return err_duplicate_mac_seed(seed);
    }
    return NULL;
}

static struct error *begin_restored(struct importing *im, struct entry *e)
{
    const struct vm_rec *vm = e->o->rec;
    const struct vm_rec *old = txn_find_vm_uuid(im->t, vm->uuid);

    if (!uuid_is_plain(vm->uuid))
        return err_import_error(
            arena_printf(im->a, "VM %s: \"%.80s\" is no uuid", e->o->id, vm->uuid));
    TRY(check_seed(im, vm));
    if (!old) {
        e->made = txn_new_vm(im->t);
        e->made->uuid = vm->uuid;
        return NULL;
    }
    TRY(check_replaceable(im, old, vm));
    TRY(clear(im, old));
    return txn_edit_vm(im->t, old->self, &e->made);
}

static struct error *begin(struct importing *im, struct entry *e)
{
    const struct vm_rec *vm = e->o->rec;

    if (vm->is_control_domain) {
        const struct vm_rec *ours = txn_find_vm_uuid(im->t, vm->uuid);

        e->ref = ours && ours->is_control_domain ? ours->self : NULL;
        return NULL;
    }
    if (is_default_template(vm))
        e->ref = find_default_template(im, vm);
    if (e->ref)
        return NULL;
    if (im->options->restore)
        TRY(begin_restored(im, e));
    else
        e->made = txn_new_vm(im->t);
    e->ref = e->made->self;
    return NULL;
}

struct error *import_vms_begin(struct importing *im)
{
    for (size_t i = 0; i < im->n; i++)
        if (im->entries[i].o->class_id == CLASS_VM)
            TRY(begin(im, &im->entries[i]));
    return NULL;
}

/* ---- what stands in it ---- */

/* A snapshot whose VM did not come along is a template of its own. */
static void settle_snapshot(struct importing *im, struct vm_rec *vm, const char *of_id)
{
    struct entry *of = ref_is_set(of_id) ? strmap_find(&im->index, of_id) : NULL;
    const struct vm_rec *original = of && of->o->class_id == CLASS_VM ? of->o->rec : NULL;

    vm->is_a_template |= vm->is_a_snapshot;
    if (vm->is_a_snapshot && original && !original->is_a_snapshot)
        return;
    vm->is_a_snapshot = false;
    vm->snapshot_of = REF_NULL;
    vm->snapshot_time = 0;
    vm->snapshot_info = (struct map_string_string){0};
    vm->snapshot_metadata = vm->transportable_snapshot_id = "";
}

static void settle_identity(struct importing *im, const struct entry *e, int64_t version)
{
    struct vm_rec *vm = e->made;

    map_remove(im->a, &vm->other_config, "default_template");
    map_remove(im->a, &vm->other_config, "xensource_internal");
    if (!im->options->restore || !map_find(&vm->other_config, "mac_seed"))
        map_set(im->a, &vm->other_config, "mac_seed", uuid_random().s);
    if (im->options->restore)
        vm->version = version;
    if (!e->suspended && *vm->generation_id && !streq(vm->generation_id, "0:0"))
        vm->generation_id = generation_id_new(im->a);
    if (vm->domain_type == DOMAIN_TYPE_UNSPECIFIED)
        vm->domain_type = domain_type_of_policy(vm->HVM_boot_policy);
}

static struct error *find_metrics(struct importing *im, const char *id, enum class_id class_id,
                                  const void **ret)
{
    struct entry *e;

    TRY(import_find(im, id, &e));
    *ret = e && e->o->class_id == class_id ? e->o->rec : NULL;
    return NULL;
}

static struct error *make_metrics(struct importing *im, const struct entry *e,
                                  const struct vm_rec *from)
{
    const void *metrics, *guest;
    struct vm_metrics_rec *m = txn_new_vm_metrics(im->t);

    TRY(find_metrics(im, from->metrics, CLASS_VM_METRICS, &metrics));
    TRY(find_metrics(im, from->guest_metrics, CLASS_VM_GUEST_METRICS, &guest));
    m->install_time = m->last_updated = now_s();
    if (metrics)
        row_copy_fields(CLASS_VM_METRICS, m, metrics);
    e->made->metrics = m->self;
    e->made->guest_metrics = REF_NULL;
    if (guest && (e->made->is_a_snapshot || e->suspended)) {
        struct vm_guest_metrics_rec *g = txn_new_vm_guest_metrics(im->t);

        row_copy_fields(CLASS_VM_GUEST_METRICS, g, guest);
        e->made->guest_metrics = g->self;
    }
    return NULL;
}

static struct error *fill(struct importing *im, struct entry *e)
{
    const struct ref_mapping ours = {.fn = import_ref, .ctx = im, .drop_null = true};
    struct vm_rec *from = record_copy(im->a, classes[CLASS_VM].info, e->o->rec);
    const struct vm_rec *told = e->o->rec;

    record_map_refs(im->a, classes[CLASS_VM].info, from, &ours);
    row_copy_fields(CLASS_VM, e->made, from);
    vm_forget_the_run(e->made);
    e->made->is_control_domain = false;
    settle_snapshot(im, e->made, told->snapshot_of);
    e->suspended = im->options->restore && from->power_state == VM_POWER_STATE_SUSPENDED &&
                   ref_is_set(from->suspend_VDI);
    if (e->suspended) {
        e->made->power_state = VM_POWER_STATE_SUSPENDED;
        e->made->suspend_VDI = from->suspend_VDI;
    }
    settle_identity(im, e, told->version);
    TRY(vm_settings_check(e->made));
    return make_metrics(im, e, told);
}

struct error *import_vms_fill(struct importing *im)
{
    for (size_t i = 0; i < im->n; i++)
        if (im->entries[i].made)
            TRY(fill(im, &im->entries[i]));
    return NULL;
}
