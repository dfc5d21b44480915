/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this storage repository? */
#include "rules/ops.h"

#include "base/mem.h"
#include "gen/class/PBD.h"
#include "gen/class/SR.h"
#include "gen/class/VDI.h"
#include "gen/class/host.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/op_set.h"

#define SR_OP(op) OP(STORAGE_OPERATIONS_##op)
#define ALL_OPS   (~(op_mask)0)

/* Each of these may run beside others of its own group; everything else is alone on its SR. Work on
 * single images keeps out of its own way by the images' current operations. */
#define IMAGE_OPS                                                                                  \
    (SR_OP(VDI_CREATE) | SR_OP(VDI_INTRODUCE) | SR_OP(VDI_DESTROY) | SR_OP(VDI_RESIZE) |           \
     SR_OP(VDI_RESIZE_ONLINE) | SR_OP(VDI_CLONE) | SR_OP(VDI_SNAPSHOT) | SR_OP(VDI_REVERT) |       \
     SR_OP(VDI_MIRROR) | SR_OP(VDI_COPY) | SR_OP(VDI_UPDATE) | SR_OP(VDI_FORGET) |                 \
     SR_OP(VDI_ENABLE_CBT) | SR_OP(VDI_DISABLE_CBT) | SR_OP(VDI_DATA_DESTROY) |                    \
     SR_OP(VDI_LIST_CHANGED_BLOCKS) | SR_OP(VDI_SET_ON_BOOT) | SR_OP(VDI_BLOCKED) |                \
     SR_OP(VDI_GENERATE_CONFIG) | SR_OP(VDI_FORCE_UNLOCK))

static const op_mask parallel_groups[] = {SR_OP(PLUG), IMAGE_OPS};

/* Work on rows only; all others need the back end, so a plugged PBD. */
#define SR_ROW_OPS                                                                                 \
    (SR_OP(DESTROY) | SR_OP(FORGET) | SR_OP(PLUG) | SR_OP(UNPLUG) | SR_OP(PBD_CREATE) |            \
     SR_OP(PBD_DESTROY) | SR_OP(VDI_FORGET) | SR_OP(VDI_FORCE_UNLOCK))

/* Newer names that old clients do not know, and internal ones. */
#define SR_UNLISTED_OPS                                                                            \
    (SR_OP(VDI_BLOCKED) | SR_OP(VDI_COPY) | SR_OP(VDI_FORCE_UNLOCK) | SR_OP(VDI_FORGET) |          \
     SR_OP(VDI_GENERATE_CONFIG) | SR_OP(VDI_RESIZE_ONLINE) | SR_OP(VDI_UPDATE) |                   \
     SR_OP(VDI_REVERT))

static const char *const needed_feature[STORAGE_OPERATIONS_MAX] = {
    [STORAGE_OPERATIONS_UPDATE] = "SR_UPDATE",
    [STORAGE_OPERATIONS_VDI_CREATE] = "VDI_CREATE",
    [STORAGE_OPERATIONS_VDI_INTRODUCE] = "VDI_INTRODUCE",
    [STORAGE_OPERATIONS_VDI_DESTROY] = "VDI_DELETE",
    [STORAGE_OPERATIONS_VDI_RESIZE] = "VDI_RESIZE",
    [STORAGE_OPERATIONS_VDI_RESIZE_ONLINE] = "VDI_RESIZE_ONLINE",
    [STORAGE_OPERATIONS_VDI_CLONE] = "VDI_CLONE",
    [STORAGE_OPERATIONS_VDI_SNAPSHOT] = "VDI_SNAPSHOT",
    [STORAGE_OPERATIONS_VDI_MIRROR] = "VDI_MIRROR",
    [STORAGE_OPERATIONS_VDI_ENABLE_CBT] = "VDI_CONFIG_CBT",
    [STORAGE_OPERATIONS_VDI_DISABLE_CBT] = "VDI_CONFIG_CBT",
    [STORAGE_OPERATIONS_VDI_DATA_DESTROY] = "VDI_CONFIG_CBT",
    [STORAGE_OPERATIONS_VDI_LIST_CHANGED_BLOCKS] = "VDI_CONFIG_CBT",
    [STORAGE_OPERATIONS_VDI_SET_ON_BOOT] = "VDI_RESET_ON_BOOT",
    [STORAGE_OPERATIONS_VDI_GENERATE_CONFIG] = "VDI_GENERATE_CONFIG",
    [STORAGE_OPERATIONS_VDI_UPDATE] = "VDI_UPDATE",
};

struct sr_ask {
    const struct view *v;
    const struct sr_rec *sr;
    const struct sm_rec *driver;
    op_mask current;
    bool plugged;
};

static struct sr_ask sr_ask(const struct view *v, const struct sr_rec *sr)
{
    struct sr_ask q = {.v = v,
                       .sr = sr,
                       .driver = find_driver(v, sr->type),
                       .current = ops_current(&sr->current_operations)};

    for (size_t i = 0; i < sr->inv.PBDs.n; i++) {
        const struct pbd_rec *pbd = view_find(v, CLASS_PBD, sr->inv.PBDs.v[i]);

        q.plugged |= pbd && pbd->currently_attached;
    }
    return q;
}

static bool not_busy(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    op_mask in_the_way = q->current;

    for (size_t i = 0; i < ARRAY_SIZE(parallel_groups); i++)
        if (parallel_groups[i] & OP(op))
            in_the_way &= ~parallel_groups[i];
    if (in_the_way)
        REFUSE(ret_why, err_busy("SR", q->sr->self, &q->sr->current_operations, in_the_way,
                                 &storage_operations_info));
    return true;
}

static bool driver_can(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    bool writes = op == STORAGE_OPERATIONS_VDI_CREATE || op == STORAGE_OPERATIONS_VDI_INTRODUCE;

    if (needed_feature[op] && !driver_has_feature(q->driver, needed_feature[op]))
        REFUSE(ret_why, err_sr_operation_not_supported(q->sr->self));
    if (q->sr->is_tools_sr && (writes || op == STORAGE_OPERATIONS_DESTROY))
        REFUSE(ret_why, err_sr_operation_not_supported(q->sr->self));
    return true;
}

static bool is_plugged(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    if (!q->plugged)
        REFUSE(ret_why, err_sr_has_no_pbds(q->sr->self));
    return true;
}

static bool has_pbds(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    if (!q->sr->inv.PBDs.n)
        REFUSE(ret_why, err_sr_has_no_pbds(q->sr->self));
    return true;
}

static bool is_unplugged(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    if (q->plugged)
        REFUSE(ret_why, err_sr_has_pbd(q->sr->self));
    return true;
}

static bool host_caches_on(const void *rec, const void *sr)
{
    const struct host_rec *host = rec;

    return streq(host->local_cache_sr, sr);
}

static bool is_destructible(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    if (config_is_true(&q->sr->other_config, "indestructible"))
        REFUSE(ret_why, err_sr_indestructible(q->sr->self));
    const struct host_rec *host = q->sr->local_cache_enabled
                                      ? view_search(q->v, CLASS_HOST, host_caches_on, q->sr->self)
                                      : NULL;

    if (host)
        REFUSE(ret_why, err_sr_is_cache_sr(host->self));
    for (size_t i = 0; i < q->sr->inv.VDIs.n; i++) {
        const struct vdi_rec *vdi = view_find(q->v, CLASS_VDI, q->sr->inv.VDIs.v[i]);

        if (vdi && vdi->managed && vdi->type != VDI_TYPE_RRD)
            REFUSE(ret_why, err_sr_not_empty());
    }
    return true;
}

static const struct sr_check {
    op_mask ops;
    bool (*ok)(struct sr_ask *q, enum storage_operations op, struct error **ret_why);
} checks[] = {
    {ALL_OPS, not_busy},
    {ALL_OPS, driver_can},
    {~SR_ROW_OPS, is_plugged},
    {SR_OP(DESTROY), has_pbds},
    {SR_OP(DESTROY) | SR_OP(FORGET), is_unplugged},
    {SR_OP(DESTROY), is_destructible},
};

static bool run_checks(struct sr_ask *q, enum storage_operations op, struct error **ret_why)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

bool sr_op_allowed(const struct view *v, const struct sr_rec *sr, enum storage_operations op,
                   bool strict, struct error **ret_why)
{
    struct sr_ask q = sr_ask(v, sr);

    return run_checks(&q, op, ret_why);
}

void derive_sr_allowed_operations(const struct view *v, struct arena *a, const struct sr_rec *rec,
                                  struct set_enum *ret)
{
    struct sr_ask q = sr_ask(v, rec);
    op_mask allowed = 0;

    for (int op = 0; op < STORAGE_OPERATIONS_MAX; op++)
        if (!(SR_UNLISTED_OPS & OP(op)) && run_checks(&q, (enum storage_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
