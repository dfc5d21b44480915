/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SR.create: the repository is made and attached first; its rows come when it works. */
#include "api/common/lists.h"
#include "api/sr/drivers.h"
#include "api/sr/plans.h"
#include "api/sr/secrets.h"
#include "api/sr/sr.h"
#include "base/uuid.h"
#include "gen/class/SM.h"
#include "gen/class/host_txn.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"
#include "value/json.h"

static struct error *make(struct plan *p)
{
    struct map_string_string config = plan_config(p, plan_arena(p));

    return sr_backend_create(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID),
                             plan_str(p, P_TYPE), &config);
}

static struct error *unmake(struct plan *p)
{
    struct map_string_string config = plan_config(p, plan_arena(p));

    return sr_backend_destroy(plan_daemon(p), plan_arena(p), plan_str(p, P_SRUUID),
                              plan_str(p, P_TYPE), &config);
}

static struct error *forget_secrets(struct plan *p, struct txn *t)
{
    struct map_string_string config = plan_config(p, txn_arena(t));

    return secrets_drop(t, NULL, &config);
}

static struct error *record_rows(struct plan *p, struct txn *t)
{
    struct sr_rec *sr = txn_new_sr(t);
    struct pbd_rec *pbd = txn_new_pbd(t);
    struct sr_create_args *a = record_new(txn_arena(t), &sr_create_args_info);

    TRY(record_from_json(txn_arena(t), &sr_create_args_info, plan_json(p, "args"), a, NULL));
    sr->uuid = plan_str(p, P_SRUUID);
    sr->name_label = a->name_label;
    sr->name_description = a->name_description;
    sr->type = plan_str(p, P_TYPE);
    sr->content_type = a->content_type;
    sr->shared = a->shared;
    sr->sm_config = a->sm_config;
    sr->default_vdi_visibility = true;
    pbd->SR = sr->self;
    pbd->host = plan_str(p, "host");
    pbd->device_config = plan_config(p, txn_arena(t));
    pbd->currently_attached = true;
    plan_set_str(p, P_SR, sr->self);
    plan_set_result(p, sr->self);
    /* Until this is over nobody else attaches it, least of all a daemon that was just started. */
    return plan_mark(p, t, CLASS_SR, sr->self, STORAGE_OPERATIONS_PLUG);
}

static struct error *unrecord_rows(struct plan *p, struct txn *t)
{
    const struct sr_rec *sr = txn_find_sr(t, plan_str(p, P_SR));

    return sr ? sr_remove_rows(t, sr) : NULL;
}

static const struct plan_step steps[] = {
    {.name = "make", .act = make, .undo = unmake, .unrecord = forget_secrets},
    {.name = "attach",
     .act = step_attach,
     .record = record_rows,
     .undo = step_detach,
     .unrecord = unrecord_rows},
    {.name = "look", .act = step_look, .record = step_write_found},
};

const struct plan_type plan_sr_create = {
    .name = "SR.create", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

static json_t *args_json(const struct sr_create_args *a)
{
    _cleanup_str_ struct str text = STR_INIT;

    json_add_record(&text, &sr_create_args_info, a, 0, 0);
    return json_loads(str_cstr(&text), 0, NULL);
}

struct error *api_sr_create(struct call *c, const struct sr_create_args *a, const char **ret)
{
    const struct sm_rec *sm = sm_find(c->txn, a->type);
    const struct host_rec *host;
    struct uuid_text uuid = uuid_random();

    TRY(txn_host(c->txn, a->host, &host));
    if (!sm)
        return err_sr_unknown_driver(a->type);
    struct sr_create_args args = *a;
    struct plan *p = plan_begin(c, &plan_sr_create);

    plan_set_str(p, P_SRUUID, uuid.s);
    plan_set_str(p, P_TYPE, sm->type);
    plan_set_str(p, "host", host->self);
    secrets_hide(c->txn, &args.device_config);
    plan_set_config(p, &args.device_config);
    plan_set_json(p, "args", args_json(&args));
    return NULL;
}

/* The row alone; PBDs make it reachable. */
struct error *api_sr_introduce(struct call *c, const struct sr_introduce_args *a, const char **ret)
{
    const struct sm_rec *sm = sm_find(c->txn, a->type);
    struct sr_rec *sr;

    if (!uuid_is_valid(a->uuid))
        return err_invalid_value("uuid", a->uuid);
    if (txn_find_uuid(c->txn, CLASS_SR, a->uuid))
        return err_sr_uuid_exists(a->uuid);
    if (!sm)
        return err_sr_unknown_driver(a->type);
    sr = txn_new_sr(c->txn);
    sr->uuid = a->uuid;
    sr->name_label = a->name_label;
    sr->name_description = a->name_description;
    sr->type = sm->type;
    sr->content_type = a->content_type;
    sr->shared = a->shared;
    sr->sm_config = a->sm_config;
    sr->default_vdi_visibility = true;
    sr->physical_size = sr->physical_utilisation = sr->virtual_allocation = -1;
    *ret = sr->self;
    return NULL;
}
