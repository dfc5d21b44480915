/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/vm/guest_metrics.h"

#include "api/common/lists.h"
#include "base/world.h"
#include "gen/class/VM_guest_metrics_txn.h"
#include "gen/host_proto.h"
#include "proto/client.h"
#include "rules/lookup.h"

struct error *guest_metrics_drop(struct txn *t, struct vm_rec *vm)
{
    const char *ref = vm->guest_metrics;

    vm->guest_metrics = REF_NULL;
    return txn_find_vm_guest_metrics(t, ref) ? txn_delete_vm_guest_metrics(t, ref) : NULL;
}

static int tristate(const char *value)
{
    return streq(value, "1") ? TRISTATE_TYPE_YES : TRISTATE_TYPE_NO;
}

/* One key of hv_guest_info: a field, or a field and a key in it. */
static void take(struct arena *a, struct vm_guest_metrics_rec *g, const char *key,
                 const char *value)
{
    struct {
        const char *prefix;
        struct map_string_string *map;
    } const maps[] = {
        {"os_version/", &g->os_version}, {"PV_drivers_version/", &g->PV_drivers_version},
        {"networks/", &g->networks},     {"memory/", &g->memory},
        {"other/", &g->other},           {"services/", &g->services}};

    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        if (str_starts(key, maps[i].prefix))
            map_set(a, maps[i].map, key + strlen(maps[i].prefix), value);
    }
    if (streq(key, "hostname"))
        map_set(a, &g->netbios_name, "host_name", value);
    else if (streq(key, "can_use_hotplug_vbd"))
        g->can_use_hotplug_vbd = tristate(value);
    else if (streq(key, "can_use_hotplug_vif"))
        g->can_use_hotplug_vif = tristate(value);
}

static void fill(struct arena *a, struct vm_guest_metrics_rec *g,
                 const struct map_string_string *said)
{
    g->os_version = g->PV_drivers_version = g->networks = g->memory = g->other = g->services =
        g->netbios_name = (struct map_string_string){0};
    g->can_use_hotplug_vbd = g->can_use_hotplug_vif = TRISTATE_TYPE_UNSPECIFIED;
    for (size_t i = 0; i < said->n; i++)
        take(a, g, said->k[i], said->v[i]);
    g->PV_drivers_detected = g->PV_drivers_up_to_date =
        config_find(&g->PV_drivers_version, "major") ||
        config_find(&g->PV_drivers_version, "minor");
    if (g->PV_drivers_detected && !config_find(&g->PV_drivers_version, "micro"))
        map_set(a, &g->PV_drivers_version, "micro", "-1");
}

static struct error *edit(struct txn *t, const struct vm_rec *vm, struct vm_guest_metrics_rec **ret)
{
    struct vm_rec *own;

    if (txn_find_vm_guest_metrics(t, vm->guest_metrics))
        return txn_edit_vm_guest_metrics(t, vm->guest_metrics, ret);
    TRY(txn_edit_vm(t, vm->self, &own));
    *ret = txn_new_vm_guest_metrics(t);
    own->guest_metrics = (*ret)->self;
    return NULL;
}

struct error *guest_metrics_follow(struct daemon *d, struct txn *t, const struct vm_rec *vm)
{
    const struct host_vm_guest_info_args args = {.uuid = vm->uuid};
    struct host_vm_guest_info_result said;
    struct vm_guest_metrics_rec *g;
    struct error *e = hostd_vm_guest_info(d->hostd, &args, txn_arena(t), &said);

    if (error_is(e, "HANDLE_INVALID")) { /* its domain has gone meanwhile */
        error_free(e);
        return NULL;
    }
    TRY(e);
    if (!said.info.n && !txn_find_vm_guest_metrics(t, vm->guest_metrics))
        return NULL;
    TRY(edit(t, vm, &g));
    if (said.info.n)
        fill(txn_arena(t), g, &said.info);
    g->live = said.info.n > 0;
    g->last_updated = now_s();
    return NULL;
}
