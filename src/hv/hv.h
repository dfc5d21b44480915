/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The hypervisor: what a host can do with running guests, whatever runs them.
 *
 * A *domain* is one run of a VM, known by the VM's uuid; at most one exists per uuid. It lives from
 * hv_start to hv_destroy and survives this process: drivers find
 * the domains of an earlier run again when they are opened.
 *
 *   start ──► PAUSED ◄──► RUNNING ──► STOPPED (reason kept until hv_destroy)
 *                            └── suspend ──► PAUSED, memory in the stream
 *
 * A guest that powers off, crashes or loses its process becomes STOPPED; nothing is released until
 * hv_destroy, so that the reason can still be asked after a restart of this program.
 *
 * Threads: any thread may call; calls on different domains run at the same time. The wrappers in
 * hv.c let one changing call at a time through per domain; hv_destroy may come at any time and
 * makes a call in flight fail. All calls may block (milliseconds; start, suspend and detach:
 * seconds). Events arrive on the driver's threads; a handler must not call hv_* and must be quick.
 *
 * Every call is idempotent where its name allows: destroying what is gone, pausing what is paused,
 * detaching what is not there succeed.
 *
 * Errors: API errors where the catalogue has one (VM_BAD_POWER_STATE is the caller's affair:
 * drivers say HANDLE_INVALID ["VM", uuid] for a domain that does not exist), else system errors.
 * Strings in parameters are borrowed for the time of the call; results live in the given arena.
 */

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

struct hv;
struct hv_driver;

enum hv_state { HV_PAUSED, HV_RUNNING, HV_STOPPED, HV_STATE_MAX };
/* Why a domain is STOPPED. LOST: its process ended without saying why. */
enum hv_stop {
    HV_STOP_NONE,
    HV_STOP_POWEROFF,
    HV_STOP_REBOOT, /* only if on_reboot is HV_ACTION_STOP */
    HV_STOP_CRASH,
    HV_STOP_LOST,
    HV_STOP_MAX
};
/* What a domain does when its guest asks for a reboot. RESTART resets it in place. */
enum hv_action { HV_ACTION_RESTART, HV_ACTION_STOP, HV_ACTION_MAX };
/* What the guest finds: a whole machine with firmware, or (Xen) a paravirtualised one, without or
 * with the processor's help. PV and PVH guests start a kernel file, or what a boot loader of the
 * host finds on their first disk. */
enum hv_kind { HV_KIND_HVM, HV_KIND_PV, HV_KIND_PVH, HV_KIND_MAX };
/* DIRECT starts a kernel file without firmware; without a name, one from the first disk. */
enum hv_firmware { HV_FIRMWARE_BIOS, HV_FIRMWARE_UEFI, HV_FIRMWARE_DIRECT, HV_FIRMWARE_MAX };
enum hv_disk_type { HV_DISK, HV_CD, HV_DISK_TYPE_MAX };
/* BRIDGE: the driver makes the interface and joins it to a bridge of the host. */
enum hv_net { HV_NET_NONE, HV_NET_USER, HV_NET_TAP, HV_NET_BRIDGE, HV_NET_MAX };
enum hv_console { HV_CONSOLE_SERIAL, HV_CONSOLE_VNC, HV_CONSOLE_MAX };
enum hv_signal { HV_SIGNAL_POWEROFF, HV_SIGNAL_REBOOT, HV_SIGNAL_NMI, HV_SIGNAL_MAX };

extern const char *const hv_state_names[HV_STATE_MAX];
extern const char *const hv_stop_names[HV_STOP_MAX];
extern const char *const hv_kind_names[HV_KIND_MAX];

/* Limits checked by the wrappers. */
#define HV_MAX_DEVICE    254 /* highest disk or NIC number */
#define HV_MAX_DISKS     255
#define HV_MAX_NICS      16
#define HV_MAX_VCPUS     254
#define HV_MAX_CMDLINE   2048
#define HV_MAX_BLOCKDEVS 128
#define HV_MAX_MASK      1024 /* bytes of "mask" */
#define HV_MIN_MEMORY    (16ll << 20)
#define HV_MAX_MEMORY    (16ll << 40)

struct hv_pair {
    const char *key;
    const char *value;
};

struct hv_disk {
    int device;      /* position, 0 to HV_MAX_DEVICE; decides the guest's address of it */
    const char *vdi; /* uuid, "" = empty drive (CD only) */
    enum hv_disk_type type;
    bool read_only;
    bool bootable;
    /* How to reach the data, given by storage. QEMU: block nodes as JSON objects in the order in
     * which they are added (backing first) and the node the device uses. */
    const char *const *blockdevs;
    size_t n_blockdevs;
    const char *node;
    /* Drivers with caps.block_devices: a block device of the host. */
    const char *path;
};

struct hv_nic {
    int device; /* position, 0 to HV_MAX_NICS - 1 */
    const char *mac;
    enum hv_net net;
    int tap_fd;         /* HV_NET_TAP: borrowed, else -1 */
    const char *bridge; /* HV_NET_BRIDGE: its name */
    int mtu;            /* 0 = default */
};

struct hv_start {
    const char *uuid;
    const char *name; /* for people, in process lists */
    int64_t memory_max;
    int64_t memory_target; /* bytes, at most memory_max */
    int vcpus_max;
    int vcpus;
    enum hv_kind kind;
    enum hv_firmware firmware;
    const char *boot_order; /* letters c d n: disk, CD, network */
    const char *kernel;     /* DIRECT: paths, checked by the caller */
    const char *ramdisk;    /* may be "" */
    const char *cmdline;
    enum hv_action on_reboot;
    const struct hv_disk *disks;
    size_t n_disks;
    const struct hv_nic *nics;
    size_t n_nics;
    const struct hv_pair *platform; /* VM.platform: keys a driver knows, others ignored */
    size_t n_platform;
    /* VM.VCPUs_params: "weight" and "cap" of the scheduler, "mask" of processors ("1,3"). What a
     * driver cannot do or read is ignored. */
    const struct hv_pair *scheduling;
    size_t n_scheduling;
    /* Start from a suspended memory stream, else -1 (borrowed). The record that hv_start gave when
     * the domain first ran makes the machine the same again. */
    int resume_fd;
    const char *record;
};

struct hv_started {
    int64_t domid;
    const char *record; /* opaque text, small; to be kept with a suspend image */
};

struct hv_domain {
    const char *uuid;
    int64_t domid;
    enum hv_state state;
    enum hv_stop stop;
    int64_t started; /* seconds since 1970 */
    int64_t memory_max;
    int64_t memory_actual;
    int vcpus;
    int vcpus_max;
    const int *disks; /* devices attached now */
    size_t n_disks;
    const int *nics;
    size_t n_nics;
};

struct hv_disk_stats {
    int device;
    int64_t read_bytes, write_bytes, read_ops, write_ops;
};

struct hv_nic_stats {
    int device;
    int64_t rx_bytes, tx_bytes;
};

struct hv_stats {
    int64_t cpu_ns; /* all vcpus, since the start */
    const int64_t *vcpu_ns;
    size_t n_vcpus;
    int64_t memory_actual; /* given to the guest */
    int64_t memory_free;   /* as the guest says, -1 = unknown */
    const struct hv_disk_stats *disks;
    size_t n_disks;
    const struct hv_nic_stats *nics;
    size_t n_nics;
};

enum hv_feature {
    HV_CAN_SUSPEND = 1 << 0,
    HV_CAN_HOTPLUG_DISK = 1 << 1,
    HV_CAN_HOTPLUG_NIC = 1 << 2,
    HV_CAN_HOTPLUG_VCPU = 1 << 3,
    HV_CAN_BALLOON = 1 << 4,
    HV_CAN_UEFI = 1 << 5,
    HV_CAN_VNC = 1 << 6,
    HV_CAN_AGENT = 1 << 7,
    HV_CAN_PV = 1 << 8,
    HV_CAN_PVH = 1 << 9,
    HV_CAN_SCHEDULE = 1 << 10,
};

struct hv_caps {
    const char *driver;      /* "sim", "qemu", "libxl" */
    const char *version;     /* of the hypervisor, "7.2.22" */
    const char *accelerator; /* "kvm", "tcg", "xen", "none" */
    const char *why;         /* in words, why that accelerator */
    uint32_t features;       /* enum hv_feature */
    int max_vcpus;
    const char *scheduler; /* of processors, "credit2"; "" = that of the kernel */
    bool block_devices;    /* disks are handed over as hv_disk.path, not as nodes */
};

/* What the hypervisor knows of the host and its own kernel does not. */
struct hv_host {
    int64_t memory_total; /* bytes, 0 = the hypervisor is no better witness than the kernel */
    int64_t memory_free;
    const char *capabilities; /* "xen-3.0-x86_64 hvm-3.0-x86_64" */
};

enum hv_event_kind {
    HV_EVENT_STATE,       /* state (and stop) changed */
    HV_EVENT_REBOOTED,    /* reset in place; on Xen with a new domid */
    HV_EVENT_DISK_GONE,   /* the guest let go of a disk being detached, device says which */
    HV_EVENT_NIC_GONE,    /* likewise */
    HV_EVENT_MEDIA,       /* the guest opened (stop of use of) the tray of a CD drive */
    HV_EVENT_MEMORY,      /* memory_actual changed */
    HV_EVENT_GUEST,       /* the agent in the guest came, went or has news: ask hv_guest_info */
    HV_EVENT_DISK_FAILED, /* an I/O error stopped the guest: out of space or bad storage */
    HV_EVENT_MAX
};

struct hv_event {
    enum hv_event_kind kind;
    const char *uuid;
    enum hv_state state;
    enum hv_stop stop;
    int device;
    int64_t memory_actual;
};

extern const char *const hv_event_names[HV_EVENT_MAX];

typedef void hv_event_fn(void *ctx, const struct hv_event *event);

struct hv_config {
    const char *state_dir; /* absolute; drivers keep <state>/run/vm/<uuid>/ and <state>/nvram */
    /* Directories below which disks lie: all that guests' programs can reach of others' files. None
     * given: they are not confined to any. Borrowed for as long as the driver is open. */
    const char *const *disk_roots;
    size_t n_disk_roots;
    hv_event_fn *on_event;
    void *ctx;
    const char *worker; /* program of a driver that runs in one; NULL = the installed one */
};

/* Name "qemu", "libxl" or "sim". Domains of an earlier run are adopted before this returns. */
_must_check_ struct error *hv_open(const char *name, const struct hv_config *config,
                                   struct hv **ret);
/* Lets go; domains go on. No other call may be in flight. */
void hv_close(struct hv *hv);

const struct hv_caps *hv_probe(struct hv *hv);
_must_check_ struct error *hv_host(struct hv *hv, struct arena *a, struct hv_host *ret);
/* The end of the hypervisor's log, "" = it has none of its own. */
_must_check_ struct error *hv_dmesg(struct hv *hv, struct arena *a, const char **ret);
_must_check_ struct error *hv_list(struct hv *hv, struct arena *a, struct hv_domain **ret,
                                   size_t *ret_n);
_must_check_ struct error *hv_query(struct hv *hv, const char *uuid, struct arena *a,
                                    struct hv_domain *ret);
/* Leaves the domain PAUSED. On failure nothing is left. A domain of that uuid that exists already
 * is an error (DUPLICATE_VM [uuid]) unless it is PAUSED and never ran: then it is the answer to a
 * repeated call. */
_must_check_ struct error *hv_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                                    struct hv_started *ret);
_must_check_ struct error *hv_unpause(struct hv *hv, const char *uuid);
_must_check_ struct error *hv_pause(struct hv *hv, const char *uuid);
/* Asks the guest; returns when it was asked. Events tell what came of it. */
_must_check_ struct error *hv_signal(struct hv *hv, const char *uuid, enum hv_signal signal);
/* The reset button. Also starts a STOPPED domain again. Leaves it RUNNING. The domid may change. */
_must_check_ struct error *hv_reset(struct hv *hv, const char *uuid);
_must_check_ struct error *hv_destroy(struct hv *hv, const char *uuid);
/* Removes what outlives the domain (firmware variables). The VM itself is going away. */
_must_check_ struct error *hv_forget(struct hv *hv, const char *uuid);
/* Writes the memory to fd (borrowed; file, pipe or socket), at most max bytes. The domain
 * stays, paused, until the caller knows that the memory is safe: then hv_destroy; else hv_unpause
 * lets it run on. On failure the domain runs on. */
_must_check_ struct error *hv_suspend(struct hv *hv, const char *uuid, int fd, int64_t max);
_must_check_ struct error *hv_set_memory(struct hv *hv, const char *uuid, int64_t target);
_must_check_ struct error *hv_set_vcpus(struct hv *hv, const char *uuid, int vcpus);
/* One key of hv_start.scheduling, from now on and for later restarts. INVALID_VALUE for a key or
 * value that is not of its form. */
_must_check_ struct error *hv_set_scheduling(struct hv *hv, const char *uuid, const char *key,
                                             const char *value);
_must_check_ struct error *hv_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a);
_must_check_ struct error *hv_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *d);
/* Waits until the guest has let go, at most timeout_us, then DEVICE_DETACH_TIMEOUT
 * ["VBD", device]; trying again goes on waiting. */
_must_check_ struct error *hv_detach_disk(struct hv *hv, const char *uuid, int device,
                                          int64_t timeout_us);
/* Puts d->vdi into the CD drive at d->device; "" = take out what is there. */
_must_check_ struct error *hv_change_media(struct hv *hv, const char *uuid,
                                           const struct hv_disk *d);
_must_check_ struct error *hv_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *n);
_must_check_ struct error *hv_detach_nic(struct hv *hv, const char *uuid, int device,
                                         int64_t timeout_us);
_must_check_ struct error *hv_stats(struct hv *hv, const char *uuid, struct arena *a,
                                    struct hv_stats *ret);
/* A connected stream socket; the caller owns it. SERIAL: recent output comes first, any number of
 * viewers see the same. VNC: the RFB protocol from its greeting. */
_must_check_ struct error *hv_console(struct hv *hv, const char *uuid, enum hv_console kind,
                                      int *ret_fd);
/* What the agent in the guest says, as keys of VM_guest_metrics: "os_version/name",
 * "networks/0/ip", "memory/free" ... n = 0 without an agent. */
_must_check_ struct error *hv_guest_info(struct hv *hv, const char *uuid, struct arena *a,
                                         struct hv_pair **ret, size_t *ret_n);
/* Drivers made for tests only: faults, timings, acts of the guest (see the driver's header). */
_must_check_ struct error *hv_control(struct hv *hv, const char *json, struct arena *a,
                                      const char **ret_json);
