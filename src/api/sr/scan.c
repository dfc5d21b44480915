/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SR.scan, SR.update: looking at what lies on a repository. */
#include "api/sr/plans.h"
#include "api/sr/refresh.h"
#include "api/sr/sr.h"
#include "gen/class/SM_txn.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"
#include "rules/ops.h"

static const struct plan_step steps[] = {
    {.name = "look", .act = step_look, .record = step_write_found},
};

const struct plan_type plan_sr_scan = {
    .name = "SR.scan", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

struct error *api_sr_scan(struct call *c, const struct sr_scan_args *a)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, a->sr, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_SCAN));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    struct plan *p = plan_begin(c, &plan_sr_scan);

    plan_set_str(p, P_SR, sr->self);
    plan_set_str(p, P_SRUUID, sr->uuid);
    return plan_mark(p, c->txn, CLASS_SR, sr->self, STORAGE_OPERATIONS_SCAN);
}

/* Sizes only. */
struct error *api_sr_update(struct call *c, const struct sr_update_args *a)
{
    const struct sr_rec *sr;
    struct sr_rec *edit;

    TRY(txn_sr(c->txn, a->sr, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_UPDATE));
    TRY(txn_edit_sr(c->txn, a->sr, &edit));
    return sr_write_sizes(c->daemon, c->txn, edit);
}

struct error *api_sr_get_supported_types(struct call *c,
                                         const struct sr_get_supported_types_args *a,
                                         struct set_string *ret)
{
    const struct sm_rec *const *all;
    size_t n = txn_all_sm(c->txn, &all);
    const char **types = arena_array(c->arena, const char *, n);

    for (size_t i = 0; i < n; i++)
        types[i] = all[i]->type;
    *ret = (struct set_string){.n = n, .v = types};
    return NULL;
}
