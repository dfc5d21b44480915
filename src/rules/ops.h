/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * When an operation is allowed. One question per class, one file per class; the same tables make
 * the allowed_operations fields (derive_X_allowed_operations, gen/derive.h), so the list and the
 * calls cannot disagree.
 *
 *   ret_why  NULL: only the verdict, nothing is allocated. Otherwise, on refusal, the error the
 *            call has to answer; untouched when allowed. The first failing check of a fixed order
 *            decides.
 *   strict   as allowed_operations is computed. A call about to act asks with false: it may try
 *            what a guest probably, but not surely, refuses.
 *
 * Pure functions over a view (inverse fields of the record are read too); any thread. In a body
 * the view is txn_view(c->txn). The object's own current_operations must not hold the caller's
 * mark yet.
 *
 * Contention is OTHER_OPERATION_IN_PROGRESS [class, ref, op, task] of the object that is busy, not
 * always the one asked about.
 */

#include "base/error.h"
#include "gen/enums.h"
#include "model/view.h"

struct host_rec;
struct network_rec;
struct pool_rec;
struct sr_rec;
struct task_rec;
struct vbd_rec;
struct vdi_rec;
struct vif_rec;
struct vm_appliance_rec;
struct vm_rec;

bool vm_op_allowed(const struct view *v, const struct vm_rec *vm, enum vm_operations op,
                   bool strict, struct error **ret_why);
bool vdi_op_allowed(const struct view *v, const struct vdi_rec *vdi, enum vdi_operations op,
                    bool strict, struct error **ret_why);
bool vbd_op_allowed(const struct view *v, const struct vbd_rec *vbd, enum vbd_operations op,
                    bool strict, struct error **ret_why);
bool vif_op_allowed(const struct view *v, const struct vif_rec *vif, enum vif_operations op,
                    bool strict, struct error **ret_why);
bool sr_op_allowed(const struct view *v, const struct sr_rec *sr, enum storage_operations op,
                   bool strict, struct error **ret_why);
bool host_op_allowed(const struct view *v, const struct host_rec *host,
                     enum host_allowed_operations op, bool strict, struct error **ret_why);
bool network_op_allowed(const struct view *v, const struct network_rec *network,
                        enum network_operations op, bool strict, struct error **ret_why);
bool pool_op_allowed(const struct view *v, const struct pool_rec *pool,
                     enum pool_allowed_operations op, bool strict, struct error **ret_why);
bool task_op_allowed(const struct view *v, const struct task_rec *task,
                     enum task_allowed_operations op, bool strict, struct error **ret_why);

/* Every operation, as none excludes anything but another one under way. */
_must_check_ struct error *vm_appliance_op_check(const struct vm_appliance_rec *appliance);

/* The error form of the question, for bodies: TRY(vm_op_check(view, vm, VM_OPERATIONS_START)). */
static inline struct error *vm_op_check(const struct view *v, const struct vm_rec *vm,
                                        enum vm_operations op)
{
    struct error *why = NULL;

    return vm_op_allowed(v, vm, op, false, &why) ? NULL : why;
}

static inline struct error *vdi_op_check(const struct view *v, const struct vdi_rec *vdi,
                                         enum vdi_operations op)
{
    struct error *why = NULL;

    return vdi_op_allowed(v, vdi, op, false, &why) ? NULL : why;
}

static inline struct error *vbd_op_check(const struct view *v, const struct vbd_rec *vbd,
                                         enum vbd_operations op)
{
    struct error *why = NULL;

    return vbd_op_allowed(v, vbd, op, false, &why) ? NULL : why;
}

static inline struct error *vif_op_check(const struct view *v, const struct vif_rec *vif,
                                         enum vif_operations op)
{
    struct error *why = NULL;

    return vif_op_allowed(v, vif, op, false, &why) ? NULL : why;
}

static inline struct error *sr_op_check(const struct view *v, const struct sr_rec *sr,
                                        enum storage_operations op)
{
    struct error *why = NULL;

    return sr_op_allowed(v, sr, op, false, &why) ? NULL : why;
}

static inline struct error *host_op_check(const struct view *v, const struct host_rec *host,
                                          enum host_allowed_operations op)
{
    struct error *why = NULL;

    return host_op_allowed(v, host, op, false, &why) ? NULL : why;
}

static inline struct error *pool_op_check(const struct view *v, const struct pool_rec *pool,
                                          enum pool_allowed_operations op)
{
    struct error *why = NULL;

    return pool_op_allowed(v, pool, op, false, &why) ? NULL : why;
}

/* VM_BAD_POWER_STATE [vm, "halted, suspended", "running"]; states: mask of 1 << enum
 * vm_power_state. */
_malloc_ struct error *vm_bad_power_state(const struct vm_rec *vm, unsigned states);
