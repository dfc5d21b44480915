/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks with a copy of a pool's database on them, and moving a disk under a running VM. */
#include "api/common/lists.h"
#include "api/vdi/vdi.h"
#include "gen/class/VBD_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/host_txn.h"
#include "gen/msg/VDI.h"
#include "rules/lookup.h"
#include "rules/ops.h"

static struct error *find_metadata(struct call *c, const char *ref, const struct vdi_rec **ret)
{
    const struct vdi_rec *vdi;

    TRY(txn_vdi(c->txn, ref, &vdi));
    if (vdi->type != VDI_TYPE_METADATA)
        return err_vdi_incompatible_type(vdi->self, vdi_type_info.names[vdi->type]);
    *ret = vdi;
    return NULL;
}

/* Nobody writes such copies here: what lies on the disk was not made by a pool of this kind. */
struct error *api_vdi_open_database(struct call *c, const struct vdi_open_database_args *a,
                                    const char **ret)
{
    const struct vdi_rec *vdi;

    TRY(find_metadata(c, a->self, &vdi));
    return err_could_not_import_database("no database is found on the disk");
}

struct error *api_vdi_read_database_pool_uuid(struct call *c,
                                              const struct vdi_read_database_pool_uuid_args *a,
                                              const char **ret)
{
    const struct vdi_rec *vdi;

    *ret = "";
    return find_metadata(c, a->self, &vdi);
}

struct error *api_vdi_generate_config(struct call *c, const struct vdi_generate_config_args *a,
                                      const char **ret)
{
    const struct host_rec *host;
    const struct vdi_rec *vdi;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(vdi_op_check(txn_view(c->txn), vdi, VDI_OPERATIONS_GENERATE_CONFIG));
    return err_sr_operation_not_supported(vdi->SR);
}

static const struct vm_rec *running_owner(struct txn *t, const struct vdi_rec *vdi)
{
    const struct set_ref *vbds = &txn_inv_vdi(t, vdi)->VBDs;

    for (size_t i = 0; i < vbds->n; i++) {
        const struct vbd_rec *vbd = txn_find_vbd(t, vbds->v[i]);
        const struct vm_rec *vm = vbd && vbd->currently_attached ? txn_find_vm(t, vbd->VM) : NULL;

        if (vm && vm->power_state == VM_POWER_STATE_RUNNING)
            return vm;
    }
    return NULL;
}

/* Clients copy a disk that no VM runs on; one in use cannot be moved yet. */
struct error *api_vdi_pool_migrate(struct call *c, const struct vdi_pool_migrate_args *a,
                                   const char **ret)
{
    const struct vdi_rec *vdi;
    const struct sr_rec *to;

    TRY(txn_vdi(c->txn, a->vdi, &vdi));
    TRY(txn_sr(c->txn, a->sr, &to));
    if (vdi->cbt_enabled)
        return err_vdi_cbt_enabled(vdi->self);
    TRY(sr_check_attached(c->daemon, c->txn, to));
    if (!running_owner(c->txn, vdi))
        return err_vdi_needs_vm_for_migrate(vdi->self);
    return err_sr_does_not_support_migration(vdi->SR, "Vdi_mirror");
}
