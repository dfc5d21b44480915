/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on the pool? */
#include "rules/ops.h"

#include "gen/class/pool.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/op_set.h"

#define POOL_OP(op) OP(POOL_ALLOWED_OPERATIONS_##op)

/* Change who the pool is or what it trusts: one at a time. */
#define EXCLUSIVE_OPS                                                                              \
    (POOL_OP(HA_ENABLE) | POOL_OP(HA_DISABLE) | POOL_OP(CLUSTER_CREATE) |                          \
     POOL_OP(DESIGNATE_NEW_MASTER) | POOL_OP(CONFIGURE_REPOSITORIES) | POOL_OP(SYNC_UPDATES) |     \
     POOL_OP(SYNC_BUNDLE) | POOL_OP(GET_UPDATES) | POOL_OP(APPLY_UPDATES) |                        \
     POOL_OP(TLS_VERIFICATION_ENABLE) | POOL_OP(CERT_REFRESH) | POOL_OP(EJECT))

/* Several have a code of their own that tells what is going on. */
static const char *const progress_code[POOL_ALLOWED_OPERATIONS_MAX] = {
    [POOL_ALLOWED_OPERATIONS_HA_ENABLE] = ERR_HA_ENABLE_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_HA_DISABLE] = ERR_HA_DISABLE_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_CLUSTER_CREATE] = ERR_CLUSTER_CREATE_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_DESIGNATE_NEW_MASTER] = ERR_DESIGNATE_NEW_MASTER_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_CONFIGURE_REPOSITORIES] = ERR_CONFIGURE_REPOSITORIES_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_SYNC_UPDATES] = ERR_SYNC_UPDATES_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_SYNC_BUNDLE] = ERR_SYNC_BUNDLE_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_GET_UPDATES] = ERR_GET_UPDATES_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_APPLY_UPDATES] = ERR_APPLY_UPDATES_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_TLS_VERIFICATION_ENABLE] = ERR_TLS_VERIFICATION_ENABLE_IN_PROGRESS,
    [POOL_ALLOWED_OPERATIONS_CERT_REFRESH] = ERR_CERT_REFRESH_IN_PROGRESS,
};

/* Copies of certificates between members run side by side. */
static bool not_busy(const struct pool_rec *pool, enum pool_allowed_operations op,
                     struct error **ret_why)
{
    op_mask in_the_way = ops_current(&pool->current_operations) & EXCLUSIVE_OPS;

    if (!in_the_way)
        return true;
    const char *code = progress_code[__builtin_ctzll(in_the_way)];

    if (code)
        REFUSE(ret_why, error_api(code, 0));
    REFUSE(ret_why, err_busy("pool", pool->self, &pool->current_operations, in_the_way,
                             &pool_allowed_operations_info));
}

bool pool_op_allowed(const struct view *v, const struct pool_rec *pool,
                     enum pool_allowed_operations op, bool strict, struct error **ret_why)
{
    if (!not_busy(pool, op, ret_why))
        return false;
    if (op == POOL_ALLOWED_OPERATIONS_HA_ENABLE && pool->ha_enabled)
        REFUSE(ret_why, err_ha_is_enabled());
    if (op == POOL_ALLOWED_OPERATIONS_HA_DISABLE && !pool->ha_enabled)
        REFUSE(ret_why, err_ha_not_enabled());
    if (op == POOL_ALLOWED_OPERATIONS_TLS_VERIFICATION_ENABLE && pool->tls_verification_enabled)
        REFUSE(ret_why, err_operation_not_allowed("TLS verification is already enabled"));
    if ((op == POOL_ALLOWED_OPERATIONS_EJECT || op == POOL_ALLOWED_OPERATIONS_APPLY_UPDATES ||
         op == POOL_ALLOWED_OPERATIONS_DESIGNATE_NEW_MASTER) &&
        pool->ha_enabled)
        REFUSE(ret_why, err_ha_is_enabled());
    return true;
}

void derive_pool_allowed_operations(const struct view *v, struct arena *a,
                                    const struct pool_rec *rec, struct set_enum *ret)
{
    op_mask allowed = 0;

    for (int op = 0; op < POOL_ALLOWED_OPERATIONS_MAX; op++)
        if (pool_op_allowed(v, rec, (enum pool_allowed_operations)op, true, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
