/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changed-block tracking and network access to disks. No driver tracks changes yet, so the rules
 * refuse what would need it, after the checks that are the same everywhere.
 */
#include "api/vdi/vdi.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"

static struct error *refuse(struct call *c, const char *ref, enum vdi_operations op)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, ref, &vdi));
    TRY(vdi_op_check(txn_view(c->txn), vdi, op));
    return err_sr_operation_not_supported(vdi->SR);
}

struct error *api_vdi_enable_cbt(struct call *c, const struct vdi_enable_cbt_args *a)
{
    return refuse(c, a->self, VDI_OPERATIONS_ENABLE_CBT);
}

struct error *api_vdi_disable_cbt(struct call *c, const struct vdi_disable_cbt_args *a)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    return vdi->cbt_enabled ? refuse(c, a->self, VDI_OPERATIONS_DISABLE_CBT) : NULL;
}

struct error *api_vdi_data_destroy(struct call *c, const struct vdi_data_destroy_args *a)
{
    return refuse(c, a->self, VDI_OPERATIONS_DATA_DESTROY);
}

struct error *api_vdi_list_changed_blocks(struct call *c,
                                          const struct vdi_list_changed_blocks_args *a,
                                          const char **ret)
{
    const struct vdi_rec *to;

    TRY(txn_vdi(c->txn, a->vdi_to, &to));
    return refuse(c, a->vdi_from, VDI_OPERATIONS_LIST_CHANGED_BLOCKS);
}

/* Empty while no network of this host is opened for it (network.purpose). */
struct error *api_vdi_get_nbd_info(struct call *c, const struct vdi_get_nbd_info_args *a,
                                   struct set_vdi_nbd_server_info_rec *ret)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, a->self, &vdi));
    *ret = (struct set_vdi_nbd_server_info_rec){0};
    return NULL;
}
