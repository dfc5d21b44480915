/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits on callers as rows, and the callers they are meant for. */
#include "gen/msg/Rate_limit.h"
#include "api/common/lists.h"
#include "gen/class/Caller_txn.h"
#include "gen/class/Rate_limit_txn.h"
#include "gen/msg/Caller.h"
#include "rpc/call.h"

#include <math.h>

#define TEXT_MAX 256

static struct error *check_rate(struct call *c, const char *field, double value)
{
    if (isfinite(value) && value > 0)
        return NULL;
    return err_invalid_value(field, arena_printf(c->arena, "%g", value));
}

struct error *api_rate_limit_create(struct call *c, const struct rate_limit_create_args *a,
                                    const char **ret)
{
    TRY(check_rate(c, "burst_size", a->args.burst_size));
    TRY(check_rate(c, "fill_rate", a->args.fill_rate));
    struct rate_limit_rec *r = txn_new_rate_limit(c->txn);

    r->name_label = a->args.name_label;
    r->name_description = a->args.name_description;
    r->burst_size = a->args.burst_size;
    r->fill_rate = a->args.fill_rate;
    *ret = r->self;
    return NULL;
}

struct error *api_rate_limit_destroy(struct call *c, const struct rate_limit_destroy_args *a)
{
    return txn_delete_rate_limit(c->txn, a->self);
}

struct error *api_rate_limit_set_burst_size(struct call *c,
                                            const struct rate_limit_set_burst_size_args *a)
{
    struct rate_limit_rec *r;

    TRY(txn_edit_rate_limit(c->txn, a->self, &r));
    TRY(check_rate(c, "burst_size", a->value));
    r->burst_size = a->value;
    return NULL;
}

struct error *api_rate_limit_set_fill_rate(struct call *c,
                                           const struct rate_limit_set_fill_rate_args *a)
{
    struct rate_limit_rec *r;

    TRY(txn_edit_rate_limit(c->txn, a->self, &r));
    TRY(check_rate(c, "fill_rate", a->value));
    r->fill_rate = a->value;
    return NULL;
}

struct error *api_rate_limit_add_caller(struct call *c, const struct rate_limit_add_caller_args *a)
{
    const struct rate_limit_rec *r;
    struct caller_rec *caller;

    TRY(txn_rate_limit(c->txn, a->self, &r));
    TRY(txn_edit_caller(c->txn, a->caller, &caller));
    caller->rate_limit = r->self;
    return NULL;
}

struct error *api_rate_limit_remove_caller(struct call *c,
                                           const struct rate_limit_remove_caller_args *a)
{
    const struct rate_limit_rec *r;
    struct caller_rec *caller;

    TRY(txn_rate_limit(c->txn, a->self, &r));
    TRY(txn_edit_caller(c->txn, a->caller, &caller));
    if (streq(caller->rate_limit, r->self))
        caller->rate_limit = REF_NULL;
    return NULL;
}

/* ---- callers */

static bool is_anything(const char *pattern)
{
    return !*pattern || streq(pattern, "*");
}

struct error *api_caller_create(struct call *c, const struct caller_create_args *a,
                                const char **ret)
{
    const struct caller_rec *const *all;
    size_t n = txn_all_caller(c->txn, &all);

    if (strlen(a->args.user_agent) > TEXT_MAX || strlen(a->args.client_ip) > TEXT_MAX)
        return err_invalid_value("user_agent", "too long");
    if (is_anything(a->args.user_agent) && is_anything(a->args.client_ip))
        return err_invalid_value("user_agent", ""); /* it would be everybody */
    for (size_t i = 0; i < n; i++)
        if (streq(all[i]->user_agent, a->args.user_agent) &&
            streq(all[i]->client_ip, a->args.client_ip))
            return err_db_uniqueness_constraint_violation("Caller", "user_agent",
                                                          a->args.user_agent);
    struct caller_rec *caller = txn_new_caller(c->txn);

    caller->name_label = a->args.name_label;
    caller->name_description = a->args.name_description;
    caller->user_agent = a->args.user_agent;
    caller->client_ip = a->args.client_ip;
    *ret = caller->self;
    return NULL;
}

struct error *api_caller_destroy(struct call *c, const struct caller_destroy_args *a)
{
    return txn_delete_caller(c->txn, a->self);
}

struct error *api_caller_add_group(struct call *c, const struct caller_add_group_args *a)
{
    struct caller_rec *caller;

    TRY(txn_edit_caller(c->txn, a->self, &caller));
    if (!*a->group || strlen(a->group) > TEXT_MAX)
        return err_invalid_value("group", a->group);
    set_add(c->arena, &caller->groups, a->group);
    return NULL;
}

struct error *api_caller_remove_group(struct call *c, const struct caller_remove_group_args *a)
{
    struct caller_rec *caller;

    TRY(txn_edit_caller(c->txn, a->self, &caller));
    set_remove(c->arena, &caller->groups, a->group);
    return NULL;
}
