/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What xenolith-hostd is made of; every body of a host call finds it with host_call_ctx. Constant
 * once calls are served, but for the parts with locking of their own.
 */

#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "base/turns.h"

#include <stdatomic.h>
#include <stddef.h>

struct accounts;
struct guests;
struct host_server;
struct hv;
struct net;
struct options;
struct qmp_loop;
struct storage;
struct ticker;

struct machine {
    const char *state_dir;
    const char *api_state_dir; /* of xenolithd; often the same */
    bool manages_machine;      /* may change settings of the machine (settings.h) */
    struct storage *storage;
    struct hv *hv;
    struct host_server *server;
    const char *const *roots; /* where file and ISO SRs may lie */
    size_t n_roots;
    size_t n_disk_roots; /* the same array's: those below which disks may lie */
    struct net *net;
    struct accounts *accounts;
    struct guests *guests;    /* disks of domains (guests.h) */
    struct ticker *collector; /* merges images that need not be apart (collector.h) */
    struct qmp_loop *loop;
    struct turns vms;           /* a call that changes a VM has its turn */
    pthread_mutex_t event_lock; /* guards `server` as seen by events */
    pthread_mutex_t copies_lock;
    struct list copies; /* of disks, under way (calls_storage.c) */
    pthread_mutex_t lent_lock;
    struct strmap lent;             /* handles of disks that the API has open, each its own key */
    atomic_int plugins;             /* under way (plugins.h) */
    atomic_int directory_questions; /* the same (directory_server.h) */
    atomic_int checks;              /* the same (check.h) */
    atomic_int trace_posts;         /* the same (trace_post.h) */
    char boot_id[64];
    char *own_state_dir;
    char *own_roots[3]; /* sr, iso, and mnt, where file systems of SRs are mounted */
    int lock_fd;        /* <state>/run/hostd.lock: one hostd per state directory */
};

/* Brings everything up: adopts domains, attaches SRs, listens. On failure *m can be given to
 * machine_stop. */
_must_check_ struct error *machine_start(struct machine *m, const struct options *o);
/* Guests go on. */
void machine_stop(struct machine *m);
/* Frees what is known of lent disks, for machine_stop (calls_storage.c). */
void handles_forget(struct machine *m);
