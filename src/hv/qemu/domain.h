/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The qemu driver's own parts. A domain is one QEMU process with a directory
 * <state>/run/vm/<uuid>/:
 *   launch.json   what was started, written before anything else relies on it (record.h)
 *   qmp, serial, agent   sockets; the listening ends were made by us and passed to QEMU
 *   pid           written by QEMU itself
 *   console, console.log   kept console text and all of it since the last cut (hv/console.h)
 *   log           QEMU's standard error
 *
 * qemu->lock guards the table of domains and all their changing members. A domain is counted: the
 * table holds one reference, calls in flight one each. The QMP event thread takes the lock, so QMP
 * commands and qmp_close are never called with it.
 */

#include "base/map.h"
#include "base/uuid.h"
#include "base/vec.h"
#include "hv/console.h"
#include "hv/driver.h"
#include "hv/qemu/qemu.h"
#include "value/json.h"

#include <pthread.h>
#include <sys/types.h>

#define QEMU_PROGRAM "qemu-system-x86_64"
/* The one machine version new domains get; domains keep the one they were started with. */
#define QEMU_MACHINE "pc-q35-7.2"

#define QMP_TIMEOUT_US (20 * SECOND_US)

/* How a disk is wired. Fixed by device number and platform, so that the guest's addresses of a
 * domain can be computed again (argv.c). */
enum bus { BUS_VIRTIO, BUS_SCSI, BUS_SATA, BUS_MAX };

struct qdisk {
    int device;
    bool cd;
    bool going; /* device_del was accepted, the guest has not let go yet */
    enum bus bus;
    char vdi[UUID_LEN + 1];
};

struct qnic {
    int device;
    bool going;
};

/* What makes the virtual machine the same again: frozen at the first start. */
struct machine {
    int version; /* of this structure and of the rules of argv.c */
    char type[32];
    char cpu[64];
    char accel[8];
    bool sata; /* emulated controllers instead of virtio: guests without drivers for it */
    int nic_ports;
};

struct domain {
    struct qemu *qemu;
    int refs;
    char uuid[UUID_LEN + 1];
    char *dir;
    int64_t domid;
    pid_t pid;
    unsigned long long start_time; /* of the process, see process_start_time */
    int pidfd;
    struct machine machine;
    int64_t memory_max;
    int vcpus_max;
    enum hv_action on_reboot;
    int64_t started;
    bool ready; /* start or adoption is complete: visible to others, emits events */
    bool dying; /* being destroyed or suspended: its end is no event */
    bool ran;
    enum hv_state state;
    enum hv_stop stop;
    int64_t memory_actual;
    int vcpus;
    struct VEC(int) threads; /* of the vcpus */
    struct VEC(struct qdisk) disks;
    struct VEC(struct qnic) nics;
    bool agent;             /* the agent has its port open */
    bool broken;            /* QMP has ended, so has the process or soon will */
    unsigned resets;        /* counted from RESET events */
    char migration[16];     /* last status QEMU told, "" = none */
    pthread_cond_t changed; /* something above changed (monotonic clock) */
    struct qmp *qmp;
    struct console *console;
    pthread_mutex_t agent_lock; /* one talk with the agent at a time; taken before qemu->lock */
};

struct qemu {
    struct hv hv;
    const char *state_dir;
    hv_event_fn *on_event;
    void *ctx;
    pthread_mutex_t lock;
    struct strmap domains;
    int64_t next_domid;
    struct qmp_loop *loop;
    struct console_hub *hub;
    struct hv_caps caps;
    char *version;
    char *why;
};

static inline struct qemu *qemu_of(struct hv *hv)
{
    return container_of(hv, struct qemu, hv);
}

/* domain.c */
struct domain *domain_new(struct qemu *q, const char *uuid);
struct domain *domain_ref(struct domain *d); /* with the lock */
void domain_unref(struct domain *d);         /* without the lock; may block for a moment */
static inline void cleanup_domain(struct domain **d)
{
    if (*d)
        domain_unref(*d);
}
#define _cleanup_domain_ _cleanup_(cleanup_domain)
/* A reference to a domain that is ready. */
_must_check_ struct error *domain_take(struct hv *hv, const char *uuid, struct domain **ret);
/* The same, and its process must live: has not ended by itself. */
_must_check_ struct error *domain_take_live(struct hv *hv, const char *uuid, struct domain **ret);
/* With the lock: changes and emits. */
void domain_set_state(struct domain *d, enum hv_state state, enum hv_stop stop);
void domain_emit(struct domain *d, enum hv_event_kind kind, int device);
/* With the lock: waits for a change, until the deadline (monotonic us); false = time is up. */
bool domain_wait(struct domain *d, int64_t deadline);
struct qdisk *domain_find_disk(struct domain *d, int device);
struct qnic *domain_find_nic(struct domain *d, int device);
void domain_describe(const struct domain *d, struct arena *a, struct hv_domain *ret);
/* Runs a command without the lock. args is taken; ret may be NULL. */
_must_check_ struct error *domain_qmp(struct domain *d, const char *command, json_t *args,
                                      json_t **ret);
/* The same with a time limit of its own: for questions nobody should wait long for. */
_must_check_ struct error *domain_ask(struct domain *d, const char *command, json_t *args,
                                      int64_t timeout_us, json_t **ret);
/* Ends the process if it lives, waits for that and removes the directory. QEMU is asked first,
 * since only an orderly end stores bitmaps and leaves images clean; then it is killed. */
void domain_end(struct domain *d);

/* events.c: from QMP, on its thread */
void domain_on_event(void *arg, const char *event, json_t *data, int64_t time_us);
/* Applies a status QEMU told on being asked ("running", "shutdown" ...), with the lock. */
void domain_apply_status(struct domain *d, const char *status);

/* attach.c: connecting to a process, new or found */
_must_check_ struct error *domain_connect(struct domain *d, int64_t timeout_us);
/* Asks for everything that is not in the record. */
_must_check_ struct error *domain_refresh(struct domain *d);
_must_check_ struct error *qemu_adopt_all(struct qemu *q);
/* Opens a pidfd and looks at the start time again, so that it is the right process for ever. False:
 * the process of the record is gone. */
bool domain_find_process(struct domain *d);

/* launch.c, power.c, suspend.c, devices.c, figures.c, agent.c: slots of the driver */
struct error *qemu_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                         struct hv_started *ret);
struct error *qemu_unpause(struct hv *hv, const char *uuid);
struct error *qemu_pause(struct hv *hv, const char *uuid);
struct error *qemu_signal(struct hv *hv, const char *uuid, enum hv_signal signal);
struct error *qemu_reset(struct hv *hv, const char *uuid);
struct error *qemu_destroy(struct hv *hv, const char *uuid);
struct error *qemu_forget(struct hv *hv, const char *uuid);
struct error *qemu_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a);
struct error *qemu_suspend(struct hv *hv, const char *uuid, int fd, int64_t max);
/* Loads the memory of a domain started with -incoming defer. */
_must_check_ struct error *domain_load(struct domain *d, int fd);
struct error *qemu_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *qemu_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
struct error *qemu_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk);
struct error *qemu_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic);
struct error *qemu_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
struct error *qemu_set_memory(struct hv *hv, const char *uuid, int64_t target);
struct error *qemu_set_vcpus(struct hv *hv, const char *uuid, int vcpus);
struct error *qemu_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret);
struct error *qemu_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd);
struct error *qemu_guest_info(struct hv *hv, const char *uuid, struct arena *a,
                              struct hv_pair **ret, size_t *ret_n);
/* Asks the agent to shut the guest down; false = it did not take the request. */
bool agent_shutdown(struct domain *d, const char *mode);

/* json_pack that must not fail: the formats are constants. */
json_t *pack(const char *fmt, ...);
