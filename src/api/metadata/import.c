/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an ova.xml to rows. What exists once in a pool (hosts, repositories, disks, GPUs) is looked
 * for; networks are looked for, then made; VMs and their devices are made.
 */
#include "api/metadata/importing.h"
#include "api/network/network.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/class/network_txn.h"
#include "gen/errors.h"
#include "rules/lookup.h"

struct error *metadata_read(struct arena *a, const char *text, size_t n, bool force,
                            struct ova *ret)
{
    TRY(ova_read(a, text, n, ret));
    if (ret->writer.export_version > OVA_EXPORT_VERSION && !force)
        return err_import_incompatible_version();
    return NULL;
}

struct error *import_find(struct importing *im, const char *id, struct entry **ret)
{
    *ret = NULL;
    if (!ref_is_set(id))
        return NULL;
    *ret = strmap_find(&im->index, id);
    return *ret ? NULL : err_import_error_failed_to_find_object(id);
}

const char *import_ref(void *ctx, unsigned class_id, const char *id)
{
    const struct importing *im = ctx;
    const struct entry *e = ref_is_set(id) ? strmap_find(&im->index, id) : NULL;

    if (!e || !e->ref || (class_id && class_id != e->o->class_id))
        return REF_NULL;
    return e->ref;
}

static struct error *make_index(struct importing *im, const struct ova *ova)
{
    im->entries = arena_array(im->a, struct entry, ova->n);
    im->n = ova->n;
    for (size_t i = 0; i < ova->n; i++) {
        im->entries[i].o = &ova->objects[i];
        if (strmap_set(&im->index, ova->objects[i].id, &im->entries[i]))
            return err_import_error(
                arena_printf(im->a, "the id %s stands twice", ova->objects[i].id));
    }
    return NULL;
}

/* ---- what is looked for ---- */

static const char *uuid_of(const struct ova_object *o)
{
    const struct struct_info *si = classes[o->class_id].info;
    int f = classes[o->class_id].field_uuid;

    return f < 0 ? "" : *(const char *const *)field_at(&si->fields[f], o->rec);
}

static const char *self_of(const void *rec)
{
    return rec ? *(const char *const *)rec : NULL;
}

static const char *find_by_uuid(struct importing *im, const struct ova_object *o)
{
    const char *uuid = uuid_of(o);

    return *uuid ? self_of(txn_find_uuid(im->t, o->class_id, uuid)) : NULL;
}

static struct error *find_named_disk(struct importing *im, const struct vdi_rec *vdi,
                                     const char **ret)
{
    const char *scsi = config_find(&vdi->sm_config, "SCSIid");

    for (size_t i = 0; i < im->options->n_disks; i++) {
        const struct metadata_disk *d = &im->options->disks[i];
        const struct vdi_rec *target;

        if (!streq(d->source, vdi->uuid) && !(scsi && streq(d->source, scsi)))
            continue;
        TRY(txn_vdi_by_uuid(im->t, d->target, &target));
        *ret = target->self;
        return NULL;
    }
    return NULL;
}

/* In the repository it was in; a medium of that name in any library. */
static const char *find_disk_by_place(struct importing *im, const struct vdi_rec *vdi)
{
    const char *home = import_ref(im, CLASS_SR, vdi->SR);
    const struct vdi_rec *const *all;
    size_t n = *vdi->location ? txn_all_vdi(im->t, &all) : 0;
    const char *medium = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!streq(all[i]->location, vdi->location))
            continue;
        if (streq(all[i]->SR, home))
            return all[i]->self;
        const struct sr_rec *sr = txn_find_sr(im->t, all[i]->SR);

        if (!medium && sr && streq(sr->content_type, "iso"))
            medium = all[i]->self;
    }
    return medium;
}

static struct error *find_disk(struct importing *im, struct entry *e)
{
    const struct vdi_rec *vdi = e->o->rec;
    const char *maps_to = config_find(&vdi->other_config, "maps_to");

    TRY(find_named_disk(im, vdi, &e->ref));
    if (!e->ref)
        e->ref = find_disk_by_place(im, vdi);
    if (!e->ref && maps_to)
        e->ref = self_of(txn_find(im->t, CLASS_VDI, maps_to));
    return NULL;
}

static const char *find_network(struct importing *im, const struct network_rec *n)
{
    const struct network_rec *const *all;
    size_t count = txn_all_network(im->t, &all);

    for (size_t i = 0; i < count && *n->name_label; i++)
        if (streq(all[i]->name_label, n->name_label))
            return all[i]->self;
    for (size_t i = 0; i < count && *n->bridge; i++)
        if (streq(all[i]->bridge, n->bridge))
            return all[i]->self;
    return NULL;
}

static const char *make_network(struct importing *im, const struct network_rec *from)
{
    const char *bridge = network_free_bridge(im->t);
    struct network_rec *n = txn_new_network(im->t);

    n->name_label = from->name_label;
    n->name_description = from->name_description;
    n->MTU = from->MTU > 0 && from->MTU <= 65535 ? from->MTU : 1500;
    n->other_config = from->other_config;
    n->tags = from->tags;
    n->bridge = bridge;
    n->managed = true;
    n->default_locking_mode = NETWORK_DEFAULT_LOCKING_MODE_UNLOCKED;
    return n->self;
}

static struct error *find_all(struct importing *im, enum class_id class_id)
{
    for (size_t i = 0; i < im->n; i++) {
        struct entry *e = &im->entries[i];

        if (e->o->class_id != class_id)
            continue;
        if (class_id == CLASS_VDI) {
            TRY(find_disk(im, e));
        } else if (class_id == CLASS_NETWORK) {
            e->ref = find_network(im, e->o->rec);
            if (!e->ref)
                e->ref = make_network(im, e->o->rec);
        } else {
            e->ref = find_by_uuid(im, e->o);
        }
    }
    return NULL;
}

/* ---- */

static struct error *fill(struct importing *im, const struct ova *ova)
{
    static const enum class_id kept[] = {CLASS_HOST,      CLASS_SR,        CLASS_VDI,
                                         CLASS_VGPU_TYPE, CLASS_GPU_GROUP, CLASS_NETWORK};

    TRY(make_index(im, ova));
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        TRY(find_all(im, kept[i]));
    TRY(import_vms_begin(im));
    TRY(import_vms_fill(im));
    return import_devices(im);
}

static void tell_vms(const struct importing *im, struct metadata_import *in)
{
    in->vms = arena_array(im->a, const char *, im->n);
    in->n_vms = 0;
    for (size_t i = 0; i < im->n; i++)
        if (im->entries[i].made && !im->entries[i].made->is_a_snapshot)
            in->vms[in->n_vms++] = im->entries[i].made->self;
}

struct error *metadata_fill(void *ctx, struct txn *t)
{
    struct metadata_import *in = ctx;
    struct importing im = {.t = t, .a = txn_arena(t), .daemon = in->daemon, .options = in->options};
    struct error *e = fill(&im, in->ova);

    strmap_fini(&im.index);
    if (!e)
        tell_vms(&im, in);
    return e;
}
