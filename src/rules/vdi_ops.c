/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this disk image? */
#include "rules/ops.h"

#include "base/mem.h"
#include "gen/class/PBD.h"
#include "gen/class/SR.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/op_set.h"

#define VDI_OP(op) OP(VDI_OPERATIONS_##op)
#define ALL_OPS    (~(op_mask)0)

/* What the listed field is limited to: older clients stumble over newer names. */
#define VDI_LISTED_OPS                                                                             \
    (VDI_OP(CLONE) | VDI_OP(COPY) | VDI_OP(RESIZE) | VDI_OP(RESIZE_ONLINE) | VDI_OP(SNAPSHOT) |    \
     VDI_OP(DESTROY) | VDI_OP(FORGET) | VDI_OP(UPDATE) | VDI_OP(GENERATE_CONFIG))

/* While a VM writes to it; while VMs only read it. */
#define VDI_WRITTEN_OPS                                                                            \
    (VDI_OP(SNAPSHOT) | VDI_OP(RESIZE_ONLINE) | VDI_OP(BLOCKED) | VDI_OP(CLONE) |                  \
     VDI_OP(REVERT_TO) | VDI_OP(REVERT_FROM) | VDI_OP(MIRROR) | VDI_OP(ENABLE_CBT) |               \
     VDI_OP(DISABLE_CBT) | VDI_OP(DATA_DESTROY))
#define VDI_READ_OPS (VDI_WRITTEN_OPS | VDI_OP(COPY))

/* Need nothing of the repository's back end. */
#define VDI_ROW_OPS (VDI_OP(FORGET) | VDI_OP(FORCE_UNLOCK))

/* What the back end must be able to do; no entry = nothing special. */
static const char *const needed_feature[VDI_OPERATIONS_MAX] = {
    [VDI_OPERATIONS_CLONE] = "VDI_CLONE",
    [VDI_OPERATIONS_SNAPSHOT] = "VDI_SNAPSHOT",
    [VDI_OPERATIONS_RESIZE] = "VDI_RESIZE",
    [VDI_OPERATIONS_RESIZE_ONLINE] = "VDI_RESIZE_ONLINE",
    [VDI_OPERATIONS_DESTROY] = "VDI_DELETE",
    [VDI_OPERATIONS_UPDATE] = "VDI_UPDATE",
    [VDI_OPERATIONS_MIRROR] = "VDI_MIRROR",
    [VDI_OPERATIONS_GENERATE_CONFIG] = "VDI_GENERATE_CONFIG",
    [VDI_OPERATIONS_SET_ON_BOOT] = "VDI_RESET_ON_BOOT",
    [VDI_OPERATIONS_ENABLE_CBT] = "VDI_CONFIG_CBT",
    [VDI_OPERATIONS_DISABLE_CBT] = "VDI_CONFIG_CBT",
    [VDI_OPERATIONS_DATA_DESTROY] = "VDI_CONFIG_CBT",
    [VDI_OPERATIONS_LIST_CHANGED_BLOCKS] = "VDI_CONFIG_CBT",
};

struct vdi_ask {
    const struct view *v;
    const struct vdi_rec *vdi;
    const struct sr_rec *sr; /* NULL while the row is half made */
    const struct sm_rec *driver;
    op_mask current;
    bool strict;
    bool sr_plugged;
    bool attached;
    bool written;
    const struct vbd_rec *busy_vbd;
};

static void ask_vbds(struct vdi_ask *q)
{
    for (size_t i = 0; i < q->vdi->inv.VBDs.n; i++) {
        const struct vbd_rec *vbd = view_find(q->v, CLASS_VBD, q->vdi->inv.VBDs.v[i]);

        if (!vbd)
            continue;
        if (vbd->currently_attached || vbd->reserved) {
            q->attached = true;
            q->written |= vbd->mode == VBD_MODE_RW;
        }
        if (vbd->current_operations.n)
            q->busy_vbd = vbd;
    }
}

static struct vdi_ask vdi_ask(const struct view *v, const struct vdi_rec *vdi, bool strict)
{
    struct vdi_ask q = {
        .v = v, .vdi = vdi, .strict = strict, .current = ops_current(&vdi->current_operations)};

    q.sr = view_find(v, CLASS_SR, vdi->SR);
    q.driver = q.sr ? find_driver(v, q.sr->type) : NULL;
    for (size_t i = 0; q.sr && i < q.sr->inv.PBDs.n; i++) {
        const struct pbd_rec *pbd = view_find(v, CLASS_PBD, q.sr->inv.PBDs.v[i]);

        q.sr_plugged |= pbd && pbd->currently_attached;
    }
    ask_vbds(&q);
    return q;
}

static const char *op_name(enum vdi_operations op)
{
    return vdi_operations_info.names[op];
}

static bool not_busy(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    if (q->current && !(op == VDI_OPERATIONS_COPY && !(q->current & ~VDI_OP(COPY))))
        REFUSE(ret_why, err_busy("VDI", q->vdi->self, &q->vdi->current_operations, ALL_OPS,
                                 &vdi_operations_info));
    return true;
}

static bool sr_is_there(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    static const op_mask ending = OP(STORAGE_OPERATIONS_DESTROY) | OP(STORAGE_OPERATIONS_FORGET);

    if (!q->sr || (!q->sr_plugged && !(VDI_ROW_OPS & OP(op))))
        REFUSE(ret_why, err_sr_has_no_pbds(q->vdi->SR));
    /* Not part of the list: an SR about to go must not touch each of its images first. */
    if (!q->strict && ops_current(&q->sr->current_operations) & ending)
        REFUSE(ret_why, err_busy("SR", q->sr->self, &q->sr->current_operations, ending,
                                 &storage_operations_info));
    return true;
}

static bool not_in_use(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    op_mask fits = q->written ? VDI_WRITTEN_OPS : VDI_READ_OPS;

    if (fits & OP(op))
        return true;
    if (q->attached)
        REFUSE(ret_why, err_vdi_in_use(q->vdi->self, op_name(op)));
    if (q->busy_vbd)
        REFUSE(ret_why, err_busy("VBD", q->busy_vbd->self, &q->busy_vbd->current_operations,
                                 ALL_OPS, &vbd_operations_info));
    return true;
}

static bool driver_can(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    /* Drives of the host come and go by themselves, whatever their driver claims. */
    if ((op == VDI_OPERATIONS_DESTROY || op == VDI_OPERATIONS_FORGET) && streq(q->sr->type, "udev"))
        REFUSE(ret_why, err_vdi_is_a_physical_device(q->vdi->self));
    if (needed_feature[op] && !driver_has_feature(q->driver, needed_feature[op]))
        REFUSE(ret_why, err_sr_operation_not_supported(q->vdi->SR));
    return true;
}

/* Inner nodes of a chain are the storage's own; a vanished image has nothing to act on. */
static bool data_is_there(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    if (!q->vdi->managed)
        REFUSE(ret_why, err_vdi_not_managed(q->vdi->self));
    if (q->vdi->missing && op != VDI_OPERATIONS_DESTROY)
        REFUSE(ret_why, err_vdi_missing(q->vdi->SR, q->vdi->self));
    return true;
}

static bool type_fits(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    static const op_mask not_metadata =
        VDI_OP(CLONE) | VDI_OP(COPY) | VDI_OP(RESIZE) | VDI_OP(RESIZE_ONLINE) | VDI_OP(SNAPSHOT) |
        VDI_OP(MIRROR) | VDI_OP(ENABLE_CBT) | VDI_OP(DISABLE_CBT) | VDI_OP(SET_ON_BOOT);
    int type = q->vdi->type;

    if (type == VDI_TYPE_CBT_METADATA && (not_metadata & OP(op)))
        REFUSE(ret_why, err_vdi_incompatible_type(q->vdi->self, vdi_type_info.names[type]));
    if (type == VDI_TYPE_RRD && (op == VDI_OPERATIONS_DESTROY || op == VDI_OPERATIONS_FORGET))
        REFUSE(ret_why, err_vdi_has_rrds(q->vdi->self));
    if (type != VDI_TYPE_HA_STATEFILE && type != VDI_TYPE_REDO_LOG)
        return true;
    const struct pool_rec *pool = find_pool(q->v);

    if (pool && pool->ha_enabled)
        REFUSE(ret_why, err_ha_is_enabled());
    return true;
}

static bool can_be_shot(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    if (q->vdi->sharable && op == VDI_OPERATIONS_SNAPSHOT)
        REFUSE(ret_why, err_vdi_is_sharable(q->vdi->self));
    if (q->vdi->on_boot == ON_BOOT_RESET)
        REFUSE(ret_why, err_vdi_on_boot_mode_incompatible_with_operation());
    return true;
}

static bool tracking_allows(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    if (q->vdi->cbt_enabled)
        REFUSE(ret_why, err_vdi_cbt_enabled(q->vdi->self));
    return true;
}

static struct error *err_about(const char *what, const char *ref)
{
    char *text = xasprintf("%s: %s", what, ref);
    struct error *e = err_operation_not_allowed(text);

    free(text);
    return e;
}

static bool can_track(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    int type = q->vdi->type;

    if (q->vdi->is_a_snapshot)
        REFUSE(ret_why, err_about("VDI is a snapshot", q->vdi->self));
    if (type != VDI_TYPE_USER && type != VDI_TYPE_SYSTEM)
        REFUSE(ret_why, err_vdi_incompatible_type(q->vdi->self, vdi_type_info.names[type]));
    if (q->vdi->on_boot == ON_BOOT_RESET)
        REFUSE(ret_why, err_vdi_on_boot_mode_incompatible_with_operation());
    return true;
}

static bool can_lose_data(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    if (!q->vdi->is_a_snapshot)
        REFUSE(ret_why, err_about("VDI is not a snapshot", q->vdi->self));
    if (!q->vdi->cbt_enabled)
        REFUSE(ret_why, err_vdi_no_cbt_metadata(q->vdi->self));
    return true;
}

static const struct vdi_check {
    op_mask ops;
    bool (*ok)(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why);
} checks[] = {
    {ALL_OPS, not_busy},
    {ALL_OPS, sr_is_there},
    {ALL_OPS, not_in_use},
    {~VDI_OP(FORCE_UNLOCK), driver_can},
    {~(VDI_ROW_OPS | VDI_OP(UPDATE)), data_is_there},
    {ALL_OPS & ~VDI_OP(FORCE_UNLOCK), type_fits},
    {VDI_OP(SNAPSHOT) | VDI_OP(COPY), can_be_shot},
    {VDI_OP(MIRROR) | VDI_OP(SET_ON_BOOT), tracking_allows},
    {VDI_OP(ENABLE_CBT) | VDI_OP(DISABLE_CBT), can_track},
    {VDI_OP(DATA_DESTROY), can_lose_data},
};

static bool run_checks(struct vdi_ask *q, enum vdi_operations op, struct error **ret_why)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

bool vdi_op_allowed(const struct view *v, const struct vdi_rec *vdi, enum vdi_operations op,
                    bool strict, struct error **ret_why)
{
    struct vdi_ask q = vdi_ask(v, vdi, strict);

    return run_checks(&q, op, ret_why);
}

void derive_vdi_allowed_operations(const struct view *v, struct arena *a, const struct vdi_rec *rec,
                                   struct set_enum *ret)
{
    struct vdi_ask q = vdi_ask(v, rec, true);
    op_mask allowed = 0;

    for (int op = 0; op < VDI_OPERATIONS_MAX; op++)
        if ((VDI_LISTED_OPS & OP(op)) && run_checks(&q, (enum vdi_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
