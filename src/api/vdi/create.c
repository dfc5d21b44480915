/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "api/vdi/plans.h"
#include "api/vdi/vdi.h"
#include "base/uuid.h"
#include "gen/msg/VDI.h"
#include "rules/ops.h"
#include "value/json.h"

/* sm_config key by which clients choose the format of one disk. */
#define FORMAT_KEY "image-format"

static struct error *ctor_of(const struct plan *p, struct arena *a, struct vdi_ctor *ret)
{
    *ret = vdi_ctor_default;
    return record_from_json(a, &vdi_ctor_info, plan_json(p, "args"), ret, NULL);
}

static struct error *make(struct plan *p)
{
    struct daemon *d = plan_daemon(p);
    struct host_vdi_create_result *made = arena_new(plan_arena(p), struct host_vdi_create_result);
    struct vdi_ctor ctor;

    TRY(ctor_of(p, plan_arena(p), &ctor));
    const char *format = map_find(&ctor.sm_config, FORMAT_KEY);
    const struct host_vdi_create_args args = {
        .sr = plan_str(p, P_SRUUID),
        .uuid = plan_str(p, P_NEW),
        .virtual_size = ctor.virtual_size,
        .format = format ? format : "",
        .props = vdi_props(plan_arena(p), ctor.name_label, ctor.name_description, ctor.type),
    };

    TRY(from_host(d->store, hostd_vdi_create(d->hostd, &args, plan_arena(p), made)));
    plan_set_memo(p, made);
    return NULL;
}

static struct error *record(struct plan *p, struct txn *t)
{
    const struct host_vdi_create_result *made = plan_memo(p);
    struct vdi_rec *row = txn_new_vdi(t);
    struct vdi_ctor ctor;

    TRY(ctor_of(p, txn_arena(t), &ctor));
    row->uuid = plan_str(p, P_NEW);
    row->name_label = ctor.name_label;
    row->name_description = ctor.name_description;
    row->SR = plan_str(p, P_SR);
    row->type = ctor.type;
    row->sharable = ctor.sharable;
    row->read_only = ctor.read_only;
    row->other_config = ctor.other_config;
    row->xenstore_data = ctor.xenstore_data;
    row->sm_config = ctor.sm_config;
    row->tags = ctor.tags;
    row->on_boot = ON_BOOT_PERSIST;
    vdi_fill(row, &made->vdi);
    plan_set_result(p, row->self);
    return sr_add_allocation(t, row->SR, row->virtual_size);
}

static const struct plan_step steps[] = {
    {.name = "make",
     .act = make,
     .record = record,
     .undo = step_unmake,
     .unrecord = step_unrecord_new},
};

const struct plan_type plan_vdi_create = {
    .name = "VDI.create", .steps = steps, .n_steps = ARRAY_SIZE(steps)};

static json_t *ctor_json(const struct vdi_ctor *ctor)
{
    _cleanup_str_ struct str text = STR_INIT;

    json_add_record(&text, &vdi_ctor_info, ctor, 0, 0);
    return json_loads(str_cstr(&text), 0, NULL);
}

struct error *api_vdi_create(struct call *c, const struct vdi_create_args *a, const char **ret)
{
    struct uuid_text uuid = uuid_random();
    const struct sr_rec *sr;

    if (a->args.virtual_size < 0)
        return err_invalid_value("virtual_size",
                                 arena_printf(c->arena, "%lld", (long long)a->args.virtual_size));
    if (a->args.type == VDI_TYPE_CBT_METADATA)
        return err_vdi_incompatible_type(REF_NULL, vdi_type_info.names[a->args.type]);
    TRY(txn_sr(c->txn, a->args.SR, &sr));
    TRY(sr_op_check(txn_view(c->txn), sr, STORAGE_OPERATIONS_VDI_CREATE));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    struct plan *p = plan_begin(c, &plan_vdi_create);

    plan_set_str(p, P_SR, sr->self);
    plan_set_str(p, P_SRUUID, sr->uuid);
    plan_set_str(p, P_NEW, uuid.s);
    plan_set_json(p, "args", ctor_json(&a->args));
    return plan_mark(p, c->txn, CLASS_SR, sr->self, STORAGE_OPERATIONS_VDI_CREATE);
}
