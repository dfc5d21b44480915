/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what lies on a repository to rows. The repository is the truth about data, the store about
 * names and links: rows of disks that are gone go too, but only if all of it could be read.
 */
#include "api/common/lists.h"
#include "api/sr/secrets.h"
#include "api/sr/sr.h"
#include "base/map.h"
#include "gen/class/VBD_txn.h"
#include "gen/enums.h"

/* What the images call the image below them, for clients that draw the tree. */
#define SM_PARENT "vhd-parent"
#define SM_FORMAT "image-format"

static void fill_sm_config(struct arena *a, struct vdi_rec *row, const struct host_vdi_rec *found)
{
    if (*found->parent)
        map_set(a, &row->sm_config, SM_PARENT, found->parent);
    else
        map_remove(a, &row->sm_config, SM_PARENT);
    if (*found->format)
        map_set(a, &row->sm_config, SM_FORMAT, found->format);
}

void vdi_fill(struct vdi_rec *row, const struct host_vdi_rec *found)
{
    row->location = found->location;
    row->virtual_size = found->virtual_size;
    row->physical_utilisation = found->physical_utilisation;
    row->managed = found->managed;
    row->missing = false;
}

static void fill(struct txn *t, struct vdi_rec *row, const struct host_vdi_rec *found)
{
    vdi_fill(row, found);
    fill_sm_config(txn_arena(t), row, found);
    if (found->is_snapshot) {
        row->is_a_snapshot = true;
        row->snapshot_time = found->snapshot_time;
    }
}

/* The text kept with the disk, if it has one. */
static const char *prop(const struct host_vdi_rec *found, const char *key, const char *otherwise)
{
    const char *v = map_find(&found->props, key);

    return v ? v : otherwise;
}

static const char *add_row(struct txn *t, const struct sr_rec *sr, const struct host_vdi_rec *found)
{
    struct vdi_rec *row = txn_new_vdi(t);

    row->uuid = found->uuid;
    row->SR = sr->self;
    row->name_label = prop(found, "name_label", found->managed ? found->location : "base copy");
    row->name_description = prop(found, "name_description", "");
    row->type = VDI_TYPE_USER;
    row->read_only = found->read_only;
    row->on_boot = ON_BOOT_PERSIST;
    fill(t, row, found);
    return row->self;
}

/* Second pass, when all rows are there: who is a snapshot of whom. refs: references by uuid. */
static struct error *link_snapshots(struct txn *t, const struct sr_found *found,
                                    const struct strmap *refs)
{
    for (size_t i = 0; i < found->scan.vdis.n; i++) {
        const struct host_vdi_rec *f = &found->scan.vdis.v[i];
        const char *of = *f->snapshot_of ? strmap_find(refs, f->snapshot_of) : NULL;
        struct vdi_rec *row;

        if (!of)
            continue;
        TRY(txn_edit_vdi(t, strmap_find(refs, f->uuid), &row));
        row->snapshot_of = of;
    }
    return NULL;
}

struct error *vdi_remove_row(struct txn *t, const struct vdi_rec *vdi)
{
    const struct vdi_inv *inv = txn_inv_vdi(t, vdi);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, inv->VBDs.v[i]);
        struct vbd_rec *edit;

        if (!vbd || vbd->type != VBD_TYPE_CD)
            continue;
        TRY(txn_edit_vbd(t, vbd->self, &edit));
        edit->VDI = REF_NULL;
        edit->empty = true;
    }
    return txn_delete_vdi(t, vdi->self);
}

static bool in_use(struct txn *t, const struct vdi_rec *vdi)
{
    const struct vdi_inv *inv = txn_inv_vdi(t, vdi);

    for (size_t i = 0; i < inv->VBDs.n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, inv->VBDs.v[i]);

        if (vbd && (vbd->currently_attached || vbd->reserved))
            return true;
    }
    return vdi->current_operations.n > 0;
}

/* A disk that vanished under a guest stays as a row that says so. */
static struct error *drop_vanished(struct txn *t, const struct sr_rec *sr,
                                   const struct strmap *found)
{
    const struct set_ref *vdis = &txn_inv_sr(t, sr)->VDIs;

    for (size_t i = 0; i < vdis->n; i++) {
        const struct vdi_rec *row = txn_find_vdi(t, vdis->v[i]);
        struct vdi_rec *edit;

        if (!row || strmap_find(found, row->uuid))
            continue;
        if (!in_use(t, row)) {
            TRY(vdi_remove_row(t, row));
            continue;
        }
        TRY(txn_edit_vdi(t, row->self, &edit));
        edit->missing = true;
    }
    return NULL;
}

static struct error *write_disk(struct txn *t, const struct sr_rec *sr,
                                const struct host_vdi_rec *f, const char **ret_ref)
{
    const struct vdi_rec *row = txn_find_uuid(t, CLASS_VDI, f->uuid);
    struct vdi_rec *edit;

    if (!row) {
        *ret_ref = add_row(t, sr, f);
        return NULL;
    }
    *ret_ref = row->self;
    if (!streq(row->SR, sr->self))
        return NULL; /* the same image on two repositories: the first one keeps the name */
    TRY(txn_edit_vdi(t, row->self, &edit));
    fill(t, edit, f);
    return NULL;
}

static struct error *write_disks(struct txn *t, const struct sr_rec *sr,
                                 const struct sr_found *found)
{
    _cleanup_(strmap_fini) struct strmap refs = {0};

    for (size_t i = 0; i < found->scan.vdis.n; i++) {
        const struct host_vdi_rec *f = &found->scan.vdis.v[i];
        const char *ref;

        TRY(write_disk(t, sr, f, &ref));
        strmap_set(&refs, f->uuid, (void *)(uintptr_t)ref);
    }
    if (found->scan.complete)
        TRY(drop_vanished(t, sr, &refs));
    return link_snapshots(t, found, &refs);
}

struct error *sr_write_found(struct txn *t, const char *sr_ref, const struct sr_found *found)
{
    struct sr_rec *sr;

    TRY(txn_edit_sr(t, sr_ref, &sr));
    sr->physical_size = found->stat.size;
    sr->physical_utilisation = found->stat.used;
    sr->virtual_allocation = found->stat.virtual_allocation;
    map_remove(txn_arena(t), &sr->other_config, "dirty");
    return write_disks(t, sr, found);
}

static struct error *drop_secrets(struct txn *t, const struct sr_rec *sr)
{
    const struct set_ref *pbds = &txn_inv_sr(t, sr)->PBDs;

    for (size_t i = 0; i < pbds->n; i++) {
        const struct pbd_rec *pbd = txn_find_pbd(t, pbds->v[i]);

        if (pbd)
            TRY(secrets_drop(t, pbd->self, &pbd->device_config));
    }
    return NULL;
}

struct error *sr_remove_rows(struct txn *t, const struct sr_rec *sr)
{
    const struct set_ref *vdis = &txn_inv_sr(t, sr)->VDIs;

    for (size_t i = 0; i < vdis->n; i++) {
        const struct vdi_rec *row = txn_find_vdi(t, vdis->v[i]);

        if (row)
            TRY(vdi_remove_row(t, row));
    }
    TRY(drop_secrets(t, sr));
    return txn_delete_sr(t, sr->self); /* PBDs go with it */
}
