/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows against each other: what the schema cannot say of one field. */
#include "verify/verify.h"

#include "gen/class/VBD.h"
#include "gen/class/VM.h"
#include "gen/class/host.h"
#include "gen/class/pool.h"
#include "gen/class/task.h"
#include "gen/enums.h"
#include "value/json.h"

bool is_planned(const struct verify *v, const char *id)
{
    return strmap_find(&v->planned, id);
}

/* Every text in the state of a plan may be the id of something it works on. */
static void note_ids(struct verify *v, const json_t *j)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_string(j)) {
        const char *id = arena_strdup(&v->arena, json_string_value(j));

        strmap_set(&v->planned, id, (void *)(uintptr_t)id);
    }
    json_array_foreach (j, i, member)
        note_ids(v, member);
    json_object_foreach ((json_t *)(uintptr_t)j, key, member)
        note_ids(v, member);
}

static void check_plan(struct verify *v, const struct task_rec *t)
{
    _cleanup_json_ json_t *state = json_loads(t->plan_state, 0, NULL);

    if (!json_is_object(state)) {
        add_finding(v, ERROR, "plan-unreadable", t->self,
                    "Task %s (%s) is to go on with plan %s, but the state of that cannot be read.",
                    t->uuid, t->name_label, t->plan);
        return;
    }
    note_ids(v, state);
    if (!v->xapi_runs)
        add_finding(v, NOTE, "plan-pending", t->self,
                    "%s was under way (step %lld); xenolithd finishes or undoes it when it starts.",
                    t->name_label, (long long)t->plan_step + 1);
}

static void check_task(struct verify *v, const struct task_rec *t)
{
    bool pending =
        t->status == TASK_STATUS_TYPE_PENDING || t->status == TASK_STATUS_TYPE_CANCELLING;

    if (pending && *t->plan)
        check_plan(v, t);
    else if (pending)
        advise(add_finding(v, ERROR, "task-without-plan", t->self,
                           "Task %s (%s) is pending, but nothing will ever end it.", t->uuid,
                           t->name_label),
               "xenolithd makes it fail when it starts");
    else if (*t->plan)
        add_finding(v, ERROR, "plan-of-ended-task", t->self,
                    "Task %s (%s) has ended and still has the plan %s.", t->uuid, t->name_label,
                    t->plan);
}

static void check_pool(struct verify *v)
{
    struct version_list pools;

    store_all(v->store, CLASS_POOL, &pools);
    if (pools.n != 1)
        add_finding(v, ERROR, "pool-rows", "pool", "There are %zu pools instead of one.", pools.n);
    vec_foreach (p, &pools) {
        const struct pool_rec *pool = (*p)->rec;
        _cleanup_version_ struct version *host = store_find(v->store, CLASS_HOST, pool->master);
        const struct host_rec *h = host ? host->rec : NULL;
        _cleanup_version_ struct version *dom0 =
            h ? store_find(v->store, CLASS_VM, h->control_domain) : NULL;

        if (!h)
            add_finding(v, ERROR, "host-missing", pool->self,
                        "The pool names a host that does not exist.");
        else if (!dom0)
            advise(add_finding(v, ERROR, "control-domain-missing", h->self,
                               "Host %s has no control domain.", h->hostname),
                   "xenolithd makes one when it starts");
    }
    version_list_fini(&pools);
}

static void check_halted(struct verify *v, const struct vm_rec *vm)
{
    if (vm->power_state != VM_POWER_STATE_HALTED || is_planned(v, vm->self))
        return;
    if (vm->domid > 0)
        add_finding(v, ERROR, "domain-of-halted", vm->uuid,
                    "VM %s (%s) is Halted and has domain %lld.", vm->uuid, vm->name_label,
                    (long long)vm->domid);
    for (size_t i = 0; i < vm->inv.VBDs.n; i++) {
        _cleanup_version_ struct version *b = store_find(v->store, CLASS_VBD, vm->inv.VBDs.v[i]);
        const struct vbd_rec *vbd = b ? b->rec : NULL;

        if (vbd && vbd->currently_attached)
            add_finding(v, ERROR, "drive-of-halted", vbd->uuid,
                        "VM %s (%s) is Halted, but its drive %s is attached.", vm->uuid,
                        vm->name_label, vbd->userdevice);
    }
}

void check_rows(struct verify *v)
{
    struct version_list all;

    store_all(v->store, CLASS_TASK, &all);
    vec_foreach (t, &all)
        check_task(v, (*t)->rec);
    version_list_fini(&all);
    check_pool(v);
    store_all(v->store, CLASS_VM, &all);
    vec_foreach (vm, &all)
        check_halted(v, (*vm)->rec);
    version_list_fini(&all);
}
