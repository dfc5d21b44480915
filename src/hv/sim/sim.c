/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulator's table of domains and their life: start to destroy. The driver's table of
 * operations stands at the end.
 */
#include "hv/sim/sim.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"

#include <assert.h>

struct sim_domain *sim_find(struct sim *s, const char *uuid)
{
    return strmap_find(&s->domains, uuid);
}

void sim_domain_free(struct sim *s, struct sim_domain *d)
{
    strmap_remove(&s->domains, d->uuid);
    console_close(d->console);
    vec_fini(&d->disks);
    vec_fini(&d->nics);
    free(d);
}

void sim_emit(struct sim *s, enum hv_event_kind kind, const struct sim_domain *d, int device)
{
    struct hv_event ev = {.kind = kind,
                          .uuid = d->uuid,
                          .state = d->state,
                          .stop = d->stop,
                          .device = device,
                          .memory_actual = d->memory};

    if (s->on_event)
        s->on_event(s->ctx, &ev);
}

void sim_set_state(struct sim *s, struct sim_domain *d, enum hv_state state, enum hv_stop stop)
{
    if (d->state == state && d->stop == stop)
        return;
    if (d->ran_since_us) {
        d->ran_us += mono_us() - d->ran_since_us;
        d->ran_since_us = 0;
    }
    if (state == HV_RUNNING) {
        d->ran_since_us = mono_us();
        d->ran = true;
    }
    d->state = state;
    d->stop = stop;
    /* The state of a domain is the one thing a restart must find; a full disk cannot be helped. */
    IGNORE_ERROR(sim_store(s, d));
    sim_emit(s, HV_EVENT_STATE, d, -1);
}

/* As where a guest cannot be reset in place: another domain. */
static void run_anew(struct sim *s, struct sim_domain *d)
{
    d->agent = false;
    d->domid = s->next_domid++;
    IGNORE_ERROR(sim_store(s, d));
    sim_set_state(s, d, HV_RUNNING, HV_STOP_NONE);
    sim_emit(s, HV_EVENT_REBOOTED, d, -1);
    sim_act_later(s, d, SIM_AGENT_UP, s->boot_us);
}

void sim_guest_acts(struct sim *s, struct sim_domain *d, enum sim_act act)
{
    static const enum hv_stop stop[] = {[SIM_POWEROFF] = HV_STOP_POWEROFF,
                                        [SIM_REBOOT] = HV_STOP_REBOOT,
                                        [SIM_CRASH] = HV_STOP_CRASH,
                                        [SIM_LOST] = HV_STOP_LOST};

    if (act == SIM_AGENT_UP || act == SIM_AGENT_DOWN) {
        d->agent = act == SIM_AGENT_UP;
        sim_emit(s, HV_EVENT_GUEST, d, -1);
    } else if (act == SIM_REBOOT && d->on_reboot == HV_ACTION_RESTART) {
        run_anew(s, d);
    } else {
        d->agent = false;
        sim_set_state(s, d, HV_STOPPED, stop[act]);
    }
}

struct error *sim_enter(struct sim *s, const char *op)
{
    TRY(sim_rule_apply(s, op));
    pthread_mutex_lock(&s->lock);
    return NULL;
}

struct error *sim_enter_domain(struct sim *s, const char *op, const char *uuid,
                               struct sim_domain **ret)
{
    TRY(sim_enter(s, op));
    struct sim_domain *d = sim_find(s, uuid);

    if (!d) {
        sim_leave(s);
        return hv_no_domain(uuid);
    }
    *ret = d;
    return NULL;
}

void sim_leave(struct sim *s)
{
    pthread_mutex_unlock(&s->lock);
}

static struct error *sim_open(const struct hv_config *config, struct hv **ret)
{
    struct sim *s = xnew(struct sim);
    _cleanup_free_ char *dir = xasprintf("%s/run/sim", config->state_dir);

    s->state_dir = config->state_dir;
    s->on_event = config->on_event;
    s->ctx = config->ctx;
    s->next_domid = 1;
    list_init(&s->timers);
    pthread_mutex_init(&s->lock, NULL);
    struct error *e = io_mkdir_p(dir, 0700);

    if (!e)
        e = sim_load_all(s);
    if (!e)
        e = console_hub_start(&s->hub);
    if (!e)
        e = sim_timers_start(s);
    if (e) {
        console_hub_stop(s->hub);
        free(s);
        return e;
    }
    *ret = &s->hv;
    return NULL;
}

static void sim_close(struct hv *hv)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;
    size_t pos = 0;

    sim_timers_stop(s);
    while ((d = strmap_next(&s->domains, &pos, NULL)))
        sim_domain_free(s, d);
    console_hub_stop(s->hub);
    sim_rules_clear(s);
    strmap_fini(&s->domains);
    strmap_fini(&s->calls);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static const struct hv_caps *sim_probe(struct hv *hv)
{
    static const struct hv_caps caps = {
        .driver = "sim",
        .version = "1.0",
        .accelerator = "none",
        .why = "guests are simulated",
        .features = HV_CAN_SUSPEND | HV_CAN_HOTPLUG_DISK | HV_CAN_HOTPLUG_NIC |
                    HV_CAN_HOTPLUG_VCPU | HV_CAN_BALLOON | HV_CAN_UEFI | HV_CAN_VNC | HV_CAN_AGENT |
                    HV_CAN_PV | HV_CAN_PVH | HV_CAN_SCHEDULE,
        .max_vcpus = HV_MAX_VCPUS,
        .scheduler = "",
    };

    return &caps;
}

static void describe(const struct sim_domain *d, struct arena *a, struct hv_domain *ret)
{
    int *disks = arena_array(a, int, d->disks.n);

    for (size_t i = 0; i < d->disks.n; i++)
        disks[i] = d->disks.v[i].device;
    *ret = (struct hv_domain){
        .uuid = arena_strdup(a, d->uuid),
        .domid = d->domid,
        .state = d->state,
        .stop = d->stop,
        .started = d->started,
        .memory_max = d->memory_max,
        .memory_actual = d->memory,
        .vcpus = d->vcpus,
        .vcpus_max = d->vcpus_max,
        .disks = disks,
        .n_disks = d->disks.n,
        .nics = arena_memdup(a, d->nics.v, d->nics.n * sizeof(int)),
        .n_nics = d->nics.n,
    };
}

static struct error *sim_list(struct hv *hv, struct arena *a, struct hv_domain **ret, size_t *ret_n)
{
    struct sim *s = sim_of(hv);
    const struct sim_domain *d;
    size_t pos = 0, n = 0;

    TRY(sim_enter(s, "list"));
    struct hv_domain *all = arena_array(a, struct hv_domain, s->domains.n);

    while ((d = strmap_next(&s->domains, &pos, NULL)))
        describe(d, a, &all[n++]);
    sim_leave(s);
    *ret = all;
    *ret_n = n;
    return NULL;
}

static struct error *sim_query(struct hv *hv, const char *uuid, struct arena *a,
                               struct hv_domain *ret)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "query", uuid, &d));
    describe(d, a, ret);
    sim_leave(s);
    return NULL;
}

static struct sim_domain *domain_new(struct sim *s, const struct hv_start *p)
{
    struct sim_domain *d = xnew(struct sim_domain);

    snprintf(d->uuid, sizeof(d->uuid), "%.36s", p->uuid);
    d->domid = s->next_domid++;
    d->state = HV_PAUSED;
    d->on_reboot = p->on_reboot;
    d->started = now_s();
    d->memory_max = p->memory_max;
    d->memory = p->memory_target;
    d->vcpus_max = p->vcpus_max;
    d->vcpus = p->vcpus;
    for (size_t i = 0; i < p->n_disks; i++) {
        struct sim_disk disk = {.device = p->disks[i].device, .cd = p->disks[i].type == HV_CD};

        snprintf(disk.vdi, sizeof(disk.vdi), "%s", p->disks[i].vdi);
        vec_add(&d->disks, disk);
    }
    for (size_t i = 0; i < p->n_nics; i++)
        vec_add(&d->nics, p->nics[i].device);
    strmap_set(&s->domains, d->uuid, d);
    return d;
}

static struct error *sim_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                               struct hv_started *ret)
{
    struct sim *s = sim_of(hv);

    if (p->resume_fd >= 0)
        TRY(sim_read_stream(p->resume_fd, p->uuid));
    TRY(sim_enter(s, "start"));
    _sim_inside_ struct sim *in = s;
    struct sim_domain *d = sim_find(s, p->uuid);

    if (d && (d->state != HV_PAUSED || d->ran))
        return error_api("DUPLICATE_VM", 1, p->uuid);
    if (!d) {
        d = domain_new(s, p);
        struct error *e = sim_store(s, d);

        if (e) {
            sim_domain_free(s, d);
            return e;
        }
        sim_emit(s, HV_EVENT_STATE, d, -1);
    }
    *ret = (struct hv_started){.domid = d->domid, .record = "{\"version\":1,\"driver\":\"sim\"}"};
    return NULL;
}

static struct error *stopped(const struct sim_domain *d)
{
    return error_text("domain %s has stopped (%s)", d->uuid, hv_stop_names[d->stop]);
}

static struct error *sim_unpause(struct hv *hv, const char *uuid)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "unpause", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (d->state == HV_STOPPED)
        return stopped(d);
    bool first = !d->ran;

    sim_set_state(s, d, HV_RUNNING, HV_STOP_NONE);
    if (first)
        sim_act_later(s, d, SIM_AGENT_UP, s->boot_us);
    return NULL;
}

static struct error *sim_pause(struct hv *hv, const char *uuid)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "pause", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (d->state == HV_STOPPED)
        return stopped(d);
    sim_set_state(s, d, HV_PAUSED, HV_STOP_NONE);
    return NULL;
}

static struct error *sim_signal(struct hv *hv, const char *uuid, enum hv_signal signal)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "signal", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (d->state == HV_STOPPED)
        return stopped(d);
    if (d->state == HV_RUNNING && !d->ignore_shutdown && signal != HV_SIGNAL_NMI)
        sim_act_later(s, d, signal == HV_SIGNAL_REBOOT ? SIM_REBOOT : SIM_POWEROFF, s->shutdown_us);
    return NULL;
}

static struct error *sim_reset(struct hv *hv, const char *uuid)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "reset", uuid, &d));
    _sim_inside_ struct sim *in = s;

    run_anew(s, d);
    return NULL;
}

static struct error *sim_destroy(struct hv *hv, const char *uuid)
{
    struct sim *s = sim_of(hv);

    TRY(sim_enter(s, "destroy"));
    struct sim_domain *d = sim_find(s, uuid);

    if (d) {
        sim_unstore(s, uuid);
        sim_domain_free(s, d);
    }
    sim_leave(s);
    return NULL;
}

static struct error *sim_forget(struct hv *hv, const char *uuid)
{
    struct sim *s = sim_of(hv);

    TRY(sim_enter(s, "forget"));
    sim_leave(s);
    return NULL;
}

/* There is nothing to schedule: it is counted. */
static struct error *sim_set_scheduling(struct hv *hv, const char *uuid, const char *key,
                                        const char *value)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "set_scheduling", uuid, &d));
    _sim_inside_ struct sim *in = s;

    return d->state == HV_STOPPED ? stopped(d) : NULL;
}

static struct error *sim_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "set_on_reboot", uuid, &d));
    _sim_inside_ struct sim *in = s;

    d->on_reboot = a;
    return sim_store(s, d);
}

const struct hv_driver hv_sim_driver = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .probe = sim_probe,
    .list = sim_list,
    .query = sim_query,
    .start = sim_start,
    .unpause = sim_unpause,
    .pause = sim_pause,
    .signal = sim_signal,
    .reset = sim_reset,
    .destroy = sim_destroy,
    .forget = sim_forget,
    .suspend = sim_suspend,
    .set_memory = sim_set_memory,
    .set_vcpus = sim_set_vcpus,
    .set_scheduling = sim_set_scheduling,
    .set_on_reboot = sim_set_on_reboot,
    .attach_disk = sim_attach_disk,
    .detach_disk = sim_detach_disk,
    .change_media = sim_change_media,
    .attach_nic = sim_attach_nic,
    .detach_nic = sim_detach_nic,
    .stats = sim_stats,
    .console = sim_console,
    .guest_info = sim_guest_info,
    .control = sim_control,
};
