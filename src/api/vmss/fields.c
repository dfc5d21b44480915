/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMSS rows: a schedule is checked whenever one of its parts changes. */
#include "api/common/lists.h"
#include "api/vmss/vmss.h"
#include "gen/class/VMSS_txn.h"
#include "gen/msg/VMSS.h"
#include "rpc/call.h"

#define RETAINED_MAX 10

static struct error *check_retained(struct call *c, int64_t n)
{
    if (n >= 1 && n <= RETAINED_MAX)
        return NULL;
    return err_invalid_value("retained_snapshots", arena_printf(c->arena, "%lld", (long long)n));
}

/* No driver can ask a guest to be quiet first. */
static struct error *check_type(int type)
{
    if (type != VMSS_TYPE_SNAPSHOT_WITH_QUIESCE)
        return NULL;
    return err_value_not_supported("type", vmss_type_info.names[type], "Guests cannot be quiesced");
}

struct error *api_vmss_create(struct call *c, const struct vmss_create_args *a, const char **ret)
{
    const struct vmss_ctor *in = &a->args;

    TRY(check_type(in->type));
    TRY(check_retained(c, in->retained_snapshots));
    TRY(vmss_check_schedule(&in->schedule, (enum vmss_frequency)in->frequency));
    struct vmss_rec *v = txn_new_vmss(c->txn);

    v->name_label = in->name_label;
    v->name_description = in->name_description;
    v->enabled = in->enabled;
    v->type = in->type;
    v->retained_snapshots = in->retained_snapshots;
    v->frequency = in->frequency;
    v->schedule = in->schedule;
    *ret = v->self;
    return NULL;
}

struct error *api_vmss_destroy(struct call *c, const struct vmss_destroy_args *a)
{
    const struct vmss_rec *v;

    TRY(txn_vmss(c->txn, a->self, &v));
    if (txn_inv_vmss(c->txn, v)->VMs.n)
        return err_vmss_has_vm();
    return txn_delete_vmss(c->txn, v->self);
}

struct error *api_vmss_set_retained_snapshots(struct call *c,
                                              const struct vmss_set_retained_snapshots_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    TRY(check_retained(c, a->value));
    v->retained_snapshots = a->value;
    return NULL;
}

struct error *api_vmss_set_frequency(struct call *c, const struct vmss_set_frequency_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    TRY(vmss_check_schedule(&v->schedule, (enum vmss_frequency)a->value));
    v->frequency = a->value;
    return NULL;
}

struct error *api_vmss_set_schedule(struct call *c, const struct vmss_set_schedule_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    TRY(vmss_check_schedule(&a->value, (enum vmss_frequency)v->frequency));
    v->schedule = a->value;
    return NULL;
}

struct error *api_vmss_add_to_schedule(struct call *c, const struct vmss_add_to_schedule_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    if (map_find(&v->schedule, a->key))
        return err_map_duplicate_key("VMSS", "schedule", a->self, a->key);
    TRY(vmss_check_key(a->key, a->value));
    map_set(c->arena, &v->schedule, a->key, a->value);
    return NULL;
}

/* Clients change a key by removing and adding it. While one is missing the schedule does not run.
 */
struct error *api_vmss_remove_from_schedule(struct call *c,
                                            const struct vmss_remove_from_schedule_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    map_remove(c->arena, &v->schedule, a->key);
    return NULL;
}

struct error *api_vmss_set_last_run_time(struct call *c,
                                         const struct vmss_set_last_run_time_args *a)
{
    struct vmss_rec *v;

    TRY(txn_edit_vmss(c->txn, a->self, &v));
    v->last_run_time = a->value;
    return NULL;
}

struct error *api_vmss_set_type(struct call *c, const struct vmss_set_type_args *a)
{
    struct vmss_rec *v;

    TRY(check_type(a->value));
    TRY(txn_edit_vmss(c->txn, a->self, &v));
    v->type = a->value;
    return NULL;
}
