/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names are kept in the row and beside the image, so that a repository explains itself elsewhere.
 */
#include "api/common/host_error.h"
#include "api/sr/drivers.h"
#include "api/vdi/vdi.h"
#include "gen/class/SM_txn.h"
#include "gen/msg/VDI.h"

static struct error *tell_storage(struct call *c, const struct vdi_rec *vdi)
{
    const struct sr_rec *sr;
    struct host_vdi_set_props_result result;

    TRY(txn_sr(c->txn, vdi->SR, &sr));
    const struct sm_rec *sm = sm_find(c->txn, sr->type);
    const struct pbd_rec *pbd = sr_pbd_on(c->txn, sr, c->daemon->host_ref);

    /* Media and what cannot be reached keep their names in the row alone. */
    if (!sm || !sm_has_feature(sm, "VDI_UPDATE") || !pbd || !pbd->currently_attached)
        return NULL;
    const struct host_vdi_set_props_args args = {
        .sr = sr->uuid,
        .uuid = vdi->uuid,
        .props = vdi_props(c->arena, vdi->name_label, vdi->name_description, vdi->type),
    };

    return from_host(c->daemon->store,
                     hostd_vdi_set_props(c->daemon->hostd, &args, c->arena, &result));
}

struct error *api_vdi_set_name_label(struct call *c, const struct vdi_set_name_label_args *a)
{
    struct vdi_rec *vdi;

    TRY(txn_edit_vdi(c->txn, a->self, &vdi));
    vdi->name_label = a->value;
    return tell_storage(c, vdi);
}

struct error *api_vdi_set_name_description(struct call *c,
                                           const struct vdi_set_name_description_args *a)
{
    struct vdi_rec *vdi;

    TRY(txn_edit_vdi(c->txn, a->self, &vdi));
    vdi->name_description = a->value;
    return tell_storage(c, vdi);
}

/* Brings the row in line with the image. */
struct error *api_vdi_update(struct call *c, const struct vdi_update_args *a)
{
    struct host_vdi_stat_result result;
    const struct sr_rec *sr;
    struct vdi_rec *vdi;

    TRY(txn_edit_vdi(c->txn, a->vdi, &vdi));
    TRY(txn_sr(c->txn, vdi->SR, &sr));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    const struct host_vdi_stat_args args = {.sr = sr->uuid, .uuid = vdi->uuid};

    TRY(from_host(c->daemon->store, hostd_vdi_stat(c->daemon->hostd, &args, c->arena, &result)));
    vdi_fill(vdi, &result.vdi);
    return NULL;
}
