/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The simulator's own parts (driver "sim"): a full hypervisor driver without guests. Domains are
 * table entries; guests act when a test says so or when a timer does. Domains are also small files
 * under <state>/run/sim, so that they "go on" when this process ends, as real ones do.
 *
 * One lock (sim->lock) guards everything here. Events are emitted under it, so they come in the
 * order of the changes. Delays asked for by tests are slept without it.
 */

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "hv/console.h"
#include "hv/driver.h"

#include <pthread.h>

#define SIM_OP_NAME_MAX 32

struct sim_disk {
    int device;
    bool cd;
    char vdi[UUID_LEN + 1];
};

struct sim_domain {
    char uuid[UUID_LEN + 1];
    int64_t domid;
    enum hv_state state;
    enum hv_stop stop;
    bool ran; /* was RUNNING once */
    enum hv_action on_reboot;
    int64_t started;
    int64_t ran_since_us; /* monotonic, 0 = not running */
    int64_t ran_us;       /* summed up before that */
    int64_t memory_max, memory;
    int vcpus_max, vcpus;
    struct VEC(struct sim_disk) disks;
    struct VEC(int) nics;
    bool agent;           /* the agent in the guest answers */
    bool ignore_shutdown; /* the guest does not react to the power button */
    bool refuse_detach;   /* the guest never lets go of a device */
    struct console *console;
};

enum sim_act { SIM_POWEROFF, SIM_REBOOT, SIM_CRASH, SIM_LOST, SIM_AGENT_UP, SIM_AGENT_DOWN };

/* Something a guest will do later. */
struct sim_timer {
    struct list link; /* by due */
    int64_t due_us;
    char uuid[UUID_LEN + 1];
    int64_t domid;
    enum sim_act act;
};

/* What a test asked for at an operation. */
struct sim_rule {
    char op[SIM_OP_NAME_MAX];
    int64_t delay_us;
    char *code; /* API error, or ... */
    char **params;
    int n_params;
    char *text;    /* ... system error */
    int64_t times; /* faults left, -1 = for ever */
};

struct sim {
    struct hv hv;
    const char *state_dir;
    hv_event_fn *on_event;
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t timers_changed; /* monotonic clock */
    pthread_t timer_thread;
    bool stopping;
    struct strmap domains; /* uuid -> struct sim_domain */
    int64_t next_domid;
    struct list timers;
    struct VEC(struct sim_rule) rules;
    struct strmap calls; /* op -> count in the pointer */
    int64_t boot_us;     /* from RUNNING until the agent answers */
    int64_t shutdown_us; /* from the power button until poweroff */
    struct console_hub *hub;
};

/* sim.c */
struct sim_domain *sim_find(struct sim *s, const char *uuid);
void sim_domain_free(struct sim *s, struct sim_domain *d);
void sim_emit(struct sim *s, enum hv_event_kind kind, const struct sim_domain *d, int device);
void sim_set_state(struct sim *s, struct sim_domain *d, enum hv_state state, enum hv_stop stop);
/* The guest acts: changes the state and emits. */
void sim_guest_acts(struct sim *s, struct sim_domain *d, enum sim_act act);
/* Entry of every operation: counts, sleeps, fails as tests asked. Takes the lock on success. */
_must_check_ struct error *sim_enter(struct sim *s, const char *op);
_must_check_ struct error *sim_enter_domain(struct sim *s, const char *op, const char *uuid,
                                            struct sim_domain **ret);
void sim_leave(struct sim *s);

static inline struct sim *sim_of(struct hv *hv)
{
    return container_of(hv, struct sim, hv);
}

static inline void cleanup_sim_leave(struct sim **s)
{
    if (*s)
        sim_leave(*s);
}
/* Leaves when the scope ends: `_sim_inside_ struct sim *in = s;` after a successful sim_enter. */
#define _sim_inside_ _cleanup_(cleanup_sim_leave) _unused_

/* devices.c */
struct error *sim_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *sim_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
struct error *sim_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *sim_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic);
struct error *sim_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
struct error *sim_set_memory(struct hv *hv, const char *uuid, int64_t target);
struct error *sim_set_vcpus(struct hv *hv, const char *uuid, int vcpus);
struct error *sim_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret);
struct error *sim_guest_info(struct hv *hv, const char *uuid, struct arena *a, struct hv_pair **ret,
                             size_t *ret_n);
struct error *sim_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd);

/* memory.c: the stream of a suspended domain */
struct error *sim_suspend(struct hv *hv, const char *uuid, int fd, int64_t max);
_must_check_ struct error *sim_read_stream(int fd, const char *uuid);

/* store.c: a domain as a file */
_must_check_ struct error *sim_store(struct sim *s, const struct sim_domain *d);
void sim_unstore(struct sim *s, const char *uuid);
_must_check_ struct error *sim_load_all(struct sim *s);
/* One of them, as it was stored; the caller frees it and its vectors. */
_must_check_ struct error *sim_load(const char *state_dir, const char *uuid,
                                    struct sim_domain **ret);

/* timer.c */
_must_check_ struct error *sim_timers_start(struct sim *s);
void sim_timers_stop(struct sim *s);
/* delay 0 acts at once, on the caller's thread. */
void sim_act_later(struct sim *s, struct sim_domain *d, enum sim_act act, int64_t delay_us);

/* control.c */
struct error *sim_control(struct hv *hv, const char *json, struct arena *a, const char **ret_json);
/* Applies the rule of an operation: sleeps, then says what to fail with. Called without the lock.*/
_must_check_ struct error *sim_rule_apply(struct sim *s, const char *op);
void sim_rules_clear(struct sim *s);
