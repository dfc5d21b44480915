/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/rest.h"

#include "base/arena.h"
#include "base/world.h"
#include "gen/class/SR.h"
#include "gen/class/VBD.h"
#include "gen/class/VDI.h"
#include "gen/class/VM.h"
#include "gen/class/task.h"
#include "gen/enums.h"
#include "gen/host_proto.h"
#include "hostd/machine.h"
#include "hv/sim/sim.h"
#include "model/class.h"
#include "model/store.h"
#include "simulation/fail.h"
#include "simulation/programs.h"
#include "simulation/sched.h"
#include "task/engine.h"
#include "value/json.h"

#define PATIENCE_US (3 * 3600 * SECOND_US)
#define SETTLE_US   (75 * SECOND_US) /* longer than any chore's interval */

static size_t pending_tasks(struct daemon *d)
{
    struct version_list tasks;
    size_t n = 0;

    store_all(d->store, CLASS_TASK, &tasks);
    vec_foreach (v, &tasks) {
        const struct task_rec *t = (*v)->rec;

        n += t->status == TASK_STATUS_TYPE_PENDING || t->status == TASK_STATUS_TYPE_CANCELLING;
    }
    version_list_fini(&tasks);
    return n;
}

void rest_await(void)
{
    int64_t end = sched_now_us() + PATIENCE_US;
    int64_t quiet_since = sched_now_us();

    while (sched_now_us() - quiet_since < SETTLE_US) {
        struct daemon *d = daemon_ready();
        struct engine_stats s = {.running = 1};

        if (d && host_ready())
            s = engine_stats(d->engine);
        if (s.running || s.waiting || pending_tasks(d))
            quiet_since = sched_now_us();
        if (sched_now_us() > end)
            fail_stuck("work goes on for hours: %zu plans run, %zu wait", s.running, s.waiting);
        sched_sleep(SECOND_US);
    }
}

/* ---- rows ---- */

static void check_marks(struct daemon *d)
{
    for (int c = 1; c < CLASS_MAX; c++) {
        const struct struct_info *si = classes[c].info;
        int field = si ? field_find(si, "current_operations") : -1;
        struct version_list all;

        if (field < 0)
            continue;
        store_all(d->store, c, &all);
        vec_foreach (v, &all) {
            const struct map_string_enum *m = field_at(&si->fields[field], (*v)->rec);

            if (m->n)
                fail("%s %s is still marked by %s", classes[c].name, version_ref_text(*v), m->k[0]);
        }
        version_list_fini(&all);
    }
}

/* ---- guests ---- */

static bool has_disk(const struct sim_domain *dom, const char *vdi)
{
    vec_foreach (d, &dom->disks) {
        if (streq(d->vdi, vdi))
            return true;
    }
    return false;
}

/* The attached disks of a running VM are those of its domain. */
static void check_disks(struct daemon *d, const struct vm_rec *vm, const struct sim_domain *dom)
{
    struct version_list all;
    size_t n = 0;

    store_all(d->store, CLASS_VBD, &all);
    vec_foreach (v, &all) {
        const struct vbd_rec *vbd = (*v)->rec;
        struct version *vdi = store_find(d->store, CLASS_VDI, vbd->VDI);

        if (!streq(vbd->VM, vm->self) || !vbd->currently_attached || !vdi)
            continue;
        n++;
        if (!has_disk(dom, ((const struct vdi_rec *)vdi->rec)->uuid))
            fail("VBD %s is attached, but VM %s does not have that disk", vbd->self, vm->uuid);
        version_unref(vdi);
    }
    version_list_fini(&all);
    if (n != dom->disks.n)
        fail("VM %s has %zu disks, %zu VBDs are attached", vm->uuid, dom->disks.n, n);
}

static void check_vm(struct daemon *d, const struct vm_rec *vm, struct sim *sim)
{
    const struct sim_domain *dom = sim_find(sim, vm->uuid);
    enum vm_power_state state = (enum vm_power_state)vm->power_state;
    bool live = state == VM_POWER_STATE_RUNNING || state == VM_POWER_STATE_PAUSED;

    if (vm->is_control_domain)
        return;
    if (!dom != !live)
        fail("VM %s is %s, but its domain %s", vm->uuid, live ? "running or paused" : "halted",
             dom ? "exists" : "does not exist");
    if (!dom)
        return;
    if ((dom->state == HV_RUNNING) != (state == VM_POWER_STATE_RUNNING) ||
        (dom->state == HV_PAUSED) != (state == VM_POWER_STATE_PAUSED))
        fail("VM %s has power state %d, its domain %s", vm->uuid, (int)state,
             hv_state_names[dom->state]);
    check_disks(d, vm, dom);
}

static void check_guests(struct daemon *d, struct machine *m)
{
    struct sim *sim = sim_of(m->hv);
    struct version_list vms;
    struct sim_domain *dom;
    size_t pos = 0;

    store_all(d->store, CLASS_VM, &vms);
    vec_foreach (v, &vms)
        check_vm(d, (*v)->rec, sim);
    version_list_fini(&vms);
    while ((dom = strmap_next(&sim->domains, &pos, NULL))) {
        struct version *v = store_find_uuid(d->store, CLASS_VM, dom->uuid);

        if (!v)
            fail("domain %s belongs to no VM", dom->uuid);
        version_unref(v);
    }
    if (m->vms.by_name.n)
        fail("the turn of a VM is held although no call is under way");
}

/* ---- disks ---- */

static const char *uuid_of(struct daemon *d, enum class_id c, const char *ref, struct arena *a)
{
    struct version *v = store_find(d->store, c, ref);

    if (!v)
        fail("%s %s is gone", classes[c].name, ref);
    const char *uuid = arena_strdup(a, ((const struct sr_rec *)v->rec)->uuid);

    version_unref(v);
    return uuid;
}

static bool on_host(const struct host_sr_scan_result *r, const char *uuid)
{
    for (size_t i = 0; i < r->vdis.n; i++)
        if (streq(r->vdis.v[i].uuid, uuid))
            return true;
    return false;
}

static void check_storage(struct daemon *d, const char *sr_ref)
{
    _cleanup_arena_ struct arena a;
    struct host_sr_scan_result r;
    struct version_list vdis;

    arena_init(&a);
    const struct host_sr_scan_args args = {.uuid = uuid_of(d, CLASS_SR, sr_ref, &a)};
    struct error *e = hostd_sr_scan(d->hostd, &args, &a, &r);

    if (e)
        fail("the repository cannot be read: %s", error_string(e));
    for (size_t i = 0; i < r.vdis.n; i++) {
        struct version *v = store_find_uuid(d->store, CLASS_VDI, r.vdis.v[i].uuid);

        if (!v && r.vdis.v[i].managed)
            fail("disk %s has no row", r.vdis.v[i].uuid);
        if (v)
            version_unref(v);
    }
    store_all(d->store, CLASS_VDI, &vdis);
    vec_foreach (v, &vdis) {
        const struct vdi_rec *vdi = (*v)->rec;

        if (streq(vdi->SR, sr_ref) && !on_host(&r, vdi->uuid))
            fail("VDI %s has a row but no disk", vdi->uuid);
    }
    version_list_fini(&vdis);
}

void rest_check(const char *sr_ref)
{
    struct daemon *d = daemon_ready();
    struct machine *m = host_ready();

    if (!d || !m)
        fail("a daemon is gone although nobody killed it: %s %s",
             daemon_failure() ? daemon_failure() : "", host_failure() ? host_failure() : "");
    check_marks(d);
    check_guests(d, m);
    check_storage(d, sr_ref);
}

/* ---- before and after a restart ---- */

static struct strmap remembered; /* reference -> text */

static bool is_kept(enum class_id c)
{
    return classes[c].stored && !classes[c].soft && c != CLASS_TASK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Inverse sets have no order. */
static void add_sorted(struct str *out, const struct set_string *set)
{
    const char **v = xnew_array(const char *, set->n + 1);

    for (size_t i = 0; i < set->n; i++)
        v[i] = set->v[i];
    qsort(v, set->n, sizeof(*v), by_text);
    for (size_t i = 0; i < set->n; i++)
        str_printf(out, "%s ", v[i]);
    free(v);
}

static char *text_of(const struct version *v)
{
    const struct struct_info *si = classes[version_class(v)].info;
    struct str text = STR_INIT;

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        /* The host notes there when its daemon was started. */
        if (f->flags & FIELD_SOFT ||
            (version_class(v) == CLASS_HOST && streq(f->name, "other_config")))
            continue;
        str_printf(&text, "%s: ", f->name);
        if (f->flags & FIELD_INVERSE && f->type->kind == K_SET)
            add_sorted(&text, field_at(f, v->rec));
        else
            json_add_value(&text, f->type, field_at(f, v->rec));
        str_add_char(&text, '\n');
    }
    return str_take(&text);
}

static void each_row(void (*fn)(struct version *v))
{
    for (int c = 1; c < CLASS_MAX; c++) {
        struct version_list all;

        if (!is_kept(c))
            continue;
        store_all(daemon_ready()->store, c, &all);
        vec_foreach (v, &all)
            fn(*v);
        version_list_fini(&all);
    }
}

static void remember_one(struct version *v)
{
    strmap_set(&remembered, xstrdup(version_ref_text(v)), text_of(v));
}

void rest_remember(void)
{
    each_row(remember_one);
}

static const char *differing_lines(const char *before, const char *after)
{
    struct str out = STR_INIT;

    while (*before && *after) {
        size_t n = strcspn(before, "\n"), m = strcspn(after, "\n");

        if (n != m || memcmp(before, after, n) != 0)
            str_printf(&out, "  before %.*s\n  after  %.*s\n", (int)n, before, (int)m, after);
        before += n + (before[n] == '\n');
        after += m + (after[m] == '\n');
    }
    return str_take(&out);
}

static void compare_row(struct version *v)
{
    const char *ref = version_ref_text(v);
    const char *before = strmap_remove(&remembered, ref);
    _cleanup_free_ char *after = text_of(v);

    if (before && !streq(before, after))
        fail("%s %s is after a restart not what it was before:\n%s", classes[version_class(v)].name,
             ref, differing_lines(before, after));
}

void rest_compare(void)
{
    const char *ref;
    size_t pos = 0;

    each_row(compare_row);
    if (strmap_next(&remembered, &pos, &ref))
        fail("%s is gone after a restart", ref);
}
