/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps that plans of SR and PBD share. */
#include "api/sr/sr.h"

struct error *step_attach(struct plan *p)
{
    struct map_string_string config = plan_config(p, plan_arena(p));

    return sr_backend_attach(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID),
                             plan_str(p, P_TYPE), &config);
}

struct error *step_detach(struct plan *p)
{
    return sr_backend_detach(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID));
}

struct error *step_look(struct plan *p)
{
    struct sr_found *found = arena_new(plan_arena(p), struct sr_found);

    TRY(sr_look(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID), found));
    plan_set_memo(p, found);
    return NULL;
}

struct error *step_write_found(struct plan *p, struct txn *t)
{
    return sr_write_found(t, plan_str(p, P_SR), plan_memo(p));
}
