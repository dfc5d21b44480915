/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SR.destroy erases what is there, SR.forget only forgets it. */
#include "api/sr/plans.h"
#include "api/sr/sr.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"
#include "rules/ops.h"

static struct error *erase(struct plan *p)
{
    struct map_string_string config = plan_config(p, plan_arena(p));

    return sr_backend_destroy(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID),
                              plan_str(p, P_TYPE), &config);
}

static struct error *record_gone(struct plan *p, struct txn *t)
{
    const struct sr_rec *sr = txn_find_sr(t, plan_str(p, P_SR));

    return sr ? sr_remove_rows(t, sr) : NULL;
}

static const struct plan_step steps[] = {
    {.name = "erase", .act = erase, .record = record_gone},
};

const struct plan_type plan_sr_destroy = {
    .name = "SR.destroy", .steps = steps, .n_steps = ARRAY_SIZE(steps), .no_cancel = true};

struct error *api_sr_destroy(struct call *c, const struct sr_destroy_args *a)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->sr, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_DESTROY));
    const struct pbd_rec *pbd = sr_pbd_on(c->txn, sr, c->daemon->host_ref);

    if (!pbd)
        return err_sr_has_no_pbds(sr->self);
    struct plan *p = plan_begin(c, &plan_sr_destroy);

    plan_set_str(p, P_SR, sr->self);
    plan_set_str(p, P_SRUUID, sr->uuid);
    plan_set_str(p, P_TYPE, sr->type);
    plan_set_config(p, &pbd->device_config);
    return plan_mark(p, c->txn, CLASS_SR, sr->self, STORAGE_OPERATIONS_DESTROY);
}

struct error *api_sr_forget(struct call *c, const struct sr_forget_args *a)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->sr, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_FORGET));
    return sr_remove_rows(c->txn, sr);
}
