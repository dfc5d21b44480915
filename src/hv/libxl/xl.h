/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The libxl driver's own parts; it runs in a worker (hv/remote/remote.h). A domain is a Xen domain
 * whose uuid is the VM's, and a directory <state>/run/vm/<uuid>/:
 *   xen.json   what was started and how it stands, written before anything relies on it
 *   console    kept console text (hv/console.h)
 *   vnc        socket of the device model's display
 *
 * Xen keeps a domain that has shut down until it is destroyed, and so its reason; one that is gone
 * without us is STOPPED, LOST. A reboot is a new domain with a new domid.
 *
 * Locks: a domain's `turn` is held over every change of it and may be held for minutes; xl->lock
 * guards the table and all changing members, is taken inside it, and never over a call to libxl.
 *
 * libxl: a context serves one caller at a time and is busy while a guest's memory is filled. All
 * changes share `ops`; quick questions have `look`, so that none waits for a change; the thread of
 * events has `events`. libxl forks without exec, and its libraries have locks that a child finds
 * locked for ever if another thread held them. So nobody may be within a hypercall at that moment:
 * operations that can be waited for (those with an ao_how) are alone by the lock of `ops`, all
 * others go between xl_quick_begin and xl_quick_end, and the fork takes that lock too.
 */

#include "base/map.h"
#include "base/str.h"
#include "base/uuid.h"
#include "base/workers.h"
#include "hv/console.h"
#include "hv/driver.h"
#include "hv/remote/codec.h"

#include <libxl.h>
#include <libxl_utils.h>
#include <pthread.h>
#include <xentoollog.h>

/* Debian's own OVMF is not for Xen; tools/make-ovmf makes one that is. */
#define XL_UEFI_FIRMWARE XENOLITH_DATA "/ovmf-xen.fd"

struct xs_handle;

struct xl_ctx {
    xentoollog_logger logger;
    libxl_ctx *ctx;
};

struct xdom {
    struct xl *xl;
    int refs;
    char uuid[UUID_LEN + 1];
    char *dir;
    pthread_mutex_t turn;
    struct arena arena;    /* of start */
    struct hv_start start; /* as it stands now: with what was plugged in and without the rest */
    int64_t domid;         /* 0 = none yet */
    bool ready;            /* visible to others, emits events */
    bool dying;            /* being destroyed: its end is no event */
    bool ran;
    bool suspending; /* its shutdown is ours */
    enum hv_state state;
    enum hv_stop stop;
    int64_t started;
    bool agent; /* the guest has written keys */
    libxl_evgen_domain_death *death;
    int model; /* pidfd of its device model, -1 = none is watched */
    struct console *console;
};

struct xl {
    struct hv hv;
    const char *state_dir;
    hv_event_fn *on_event;
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    struct strmap domains;
    struct xl_ctx *ops, *look, *events;
    int wake;                /* the thread of `events` */
    int models;              /* epoll: device models (models.c) */
    struct workers *workers; /* reboots */
    struct console_hub *hub;
    struct xs_handle *xs;
    struct hv_caps caps;
    char *version, *capabilities;
};

static inline struct xl *xl_of(struct hv *hv)
{
    return container_of(hv, struct xl, hv);
}

/* ctx.c; contexts live as long as the process */
_must_check_ struct error *xl_ctx_open(struct xl_ctx **ret);
/* Once, before there is a second thread. */
void xl_guard_forks(void);
/* Around calls of libxl that return at once, on the context given. Never blocks for long, and
 * nothing else may be locked inside. */
struct xl_ctx *xl_quick_begin(struct xl *x);
void xl_quick_end(void);
/* NULL for 0; else the failed call's error with what libxl said in this thread: its own errors are
 * numbers only. */
struct error *xl_check(int rc, const char *what);

/* domain.c */
struct xdom *xdom_new(struct xl *x, const char *uuid);
struct xdom *xdom_ref(struct xdom *d); /* with the lock */
void xdom_unref(struct xdom *d);       /* without the lock */
static inline void cleanup_xdom(struct xdom **d)
{
    if (*d)
        xdom_unref(*d);
}
#define _cleanup_xdom_ _cleanup_(cleanup_xdom)
/* A domain that is ready, with its turn; give both back with xdom_leave. */
_must_check_ struct error *xdom_enter(struct hv *hv, const char *uuid, struct xdom **ret);
/* The same for one that has not stopped. */
_must_check_ struct error *xdom_enter_live(struct hv *hv, const char *uuid, struct xdom **ret);
void xdom_leave(struct xdom **d);
#define _cleanup_xdom_turn_ _cleanup_(xdom_leave)
/* Without a turn, for who only looks. */
_must_check_ struct error *xdom_find(struct hv *hv, const char *uuid, struct xdom **ret);
/* With the lock. */
void xdom_set_state(struct xdom *d, enum hv_state state, enum hv_stop stop);
void xdom_emit(struct xdom *d, enum hv_event_kind kind, int device);
struct xdom *xdom_by_domid(struct xl *x, int64_t domid);
/* Copies what lies in the caller's memory. */
void xdom_keep_start(struct xdom *d, const struct hv_start *p);
_must_check_ struct error *xdom_write(struct xdom *d);
_must_check_ struct error *xdom_read(struct xdom *d);
void xdom_remove_files(struct xdom *d);

/* launch.c */
struct error *xl_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                       struct hv_started *ret);
struct error *xl_reset(struct hv *hv, const char *uuid);
struct error *xl_destroy(struct hv *hv, const char *uuid);
struct error *xl_forget(struct hv *hv, const char *uuid);
/* Ends the Xen domain, if it is there, and nothing else. With the turn. */
_must_check_ struct error *xdom_end(struct xdom *d);
/* Once more from the beginning, in a new Xen domain; leaves it running. With the turn. */
_must_check_ struct error *xdom_relaunch(struct xdom *d);

/* events.c */
_must_check_ struct error *xl_events_start(struct xl *x);
_must_check_ struct error *xl_adopt_all(struct xl *x);
/* From now on its end is heard of. With the turn. */
_must_check_ struct error *xdom_listen(struct xdom *d);
void xdom_unlisten(struct xdom *d);

/* models.c */
_must_check_ struct error *xl_models_start(struct xl *x);
/* From now on the death of its device model is a crash. With the turn; a model that is not there
 * makes no difference. */
void xdom_watch_model(struct xdom *d);
void xdom_unwatch_model(struct xdom *d);

/* power.c */
struct error *xl_unpause(struct hv *hv, const char *uuid);
struct error *xl_pause(struct hv *hv, const char *uuid);
struct error *xl_signal(struct hv *hv, const char *uuid, enum hv_signal signal);
struct error *xl_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a);
struct error *xl_suspend(struct hv *hv, const char *uuid, int fd, int64_t max);

/* consoles.c */
struct error *xl_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd);

/* devices.c */
struct error *xl_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *xl_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
struct error *xl_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *xl_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic);
struct error *xl_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us);

/* scheduling.c */
struct error *xl_set_scheduling(struct hv *hv, const char *uuid, const char *key,
                                const char *value);

/* figures.c */
struct error *xl_set_memory(struct hv *hv, const char *uuid, int64_t target);
struct error *xl_set_vcpus(struct hv *hv, const char *uuid, int vcpus);
struct error *xl_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret);
struct error *xl_host(struct hv *hv, struct arena *a, struct hv_host *ret);
struct error *xl_dmesg(struct hv *hv, struct arena *a, const char **ret);
struct error *xl_guest_info(struct hv *hv, const char *uuid, struct arena *a, struct hv_pair **ret,
                            size_t *ret_n);

extern const struct hv_driver xl_driver;
