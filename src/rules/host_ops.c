/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this host? */
#include "rules/ops.h"

#include "base/mem.h"
#include "gen/class/host.h"
#include "gen/class/host_metrics.h"
#include "gen/derive.h"
#include "gen/errors.h"
#include "rules/lookup.h"
#include "rules/op_set.h"

#define HOST_OP(op) OP(HOST_ALLOWED_OPERATIONS_##op)
#define ALL_OPS     (~(op_mask)0)

/* Bring guests onto the host / take them off: never at the same time. */
#define FILLING  (HOST_OP(PROVISION) | HOST_OP(VM_START) | HOST_OP(VM_RESUME) | HOST_OP(VM_MIGRATE))
#define EMPTYING (HOST_OP(EVACUATE) | HOST_OP(SHUTDOWN) | HOST_OP(REBOOT) | HOST_OP(APPLY_UPDATES))

struct host_ask {
    const struct view *v;
    const struct host_rec *host;
    op_mask current;
    bool live;
};

static bool not_busy(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    op_mask against = 0;

    if (FILLING & OP(op))
        against = EMPTYING;
    else if (EMPTYING & OP(op))
        against = EMPTYING | FILLING;
    else
        against = EMPTYING | OP(op);
    if (q->current & against)
        REFUSE(ret_why, err_busy("host", q->host->self, &q->host->current_operations, against,
                                 &host_allowed_operations_info));
    return true;
}

static bool is_live(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    if (!q->live)
        REFUSE(ret_why, err_host_not_live());
    return true;
}

static bool can_be_woken(struct host_ask *q, enum host_allowed_operations op,
                         struct error **ret_why)
{
    if (q->live)
        REFUSE(ret_why, err_host_is_live(q->host->self));
    if (str_empty(q->host->power_on_mode))
        REFUSE(ret_why, err_host_power_on_mode_disabled());
    return true;
}

static bool is_enabled(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    if (!q->host->enabled)
        REFUSE(ret_why, err_host_disabled(q->host->self));
    return true;
}

static bool is_disabled(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    if (q->host->enabled)
        REFUSE(ret_why, err_host_not_disabled());
    return true;
}

static bool ha_is_off(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    const struct pool_rec *pool = find_pool(q->v);

    if (pool && pool->ha_enabled)
        REFUSE(ret_why, err_ha_is_enabled());
    return true;
}

static const struct host_check {
    op_mask ops;
    bool (*ok)(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why);
} checks[] = {
    {ALL_OPS, not_busy},
    {~HOST_OP(POWER_ON), is_live},
    {HOST_OP(POWER_ON), can_be_woken},
    {FILLING, is_enabled},
    {HOST_OP(SHUTDOWN) | HOST_OP(REBOOT), is_disabled},
    {HOST_OP(APPLY_UPDATES), ha_is_off},
};

static struct host_ask host_ask(const struct view *v, const struct host_rec *host)
{
    const struct host_metrics_rec *m = view_find(v, CLASS_HOST_METRICS, host->metrics);

    return (struct host_ask){.v = v,
                             .host = host,
                             .current = ops_current(&host->current_operations),
                             .live = m && m->live};
}

static bool run_checks(struct host_ask *q, enum host_allowed_operations op, struct error **ret_why)
{
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if ((checks[i].ops & OP(op)) && !checks[i].ok(q, op, ret_why))
            return false;
    return true;
}

bool host_op_allowed(const struct view *v, const struct host_rec *host,
                     enum host_allowed_operations op, bool strict, struct error **ret_why)
{
    struct host_ask q = host_ask(v, host);

    return run_checks(&q, op, ret_why);
}

void derive_host_allowed_operations(const struct view *v, struct arena *a,
                                    const struct host_rec *rec, struct set_enum *ret)
{
    struct host_ask q = host_ask(v, rec);
    op_mask allowed = 0;

    for (int op = 0; op < HOST_ALLOWED_OPERATIONS_MAX; op++)
        if (run_checks(&q, (enum host_allowed_operations)op, NULL))
            allowed |= OP(op);
    ops_to_set(a, allowed, ret);
}
