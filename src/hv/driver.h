/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The contract of a hypervisor driver: one table of operations. hv.c calls the slots, nobody else;
 * it has checked the arguments (hv.h limits, uuid form), holds the domain's turn (see hv.h,
 * Threads) and measures the time. A driver embeds struct hv as its first member.
 *
 * All slots must be filled except those that say so; an ability a driver lacks is a
 * missing feature flag, and hv.c answers for it. Slots are idempotent as hv.h says.
 */

#include "base/turns.h"
#include "hv/hv.h"

struct hv {
    const struct hv_driver *driver;
    struct hv_config config; /* state_dir is a copy owned by hv.c */
    struct turns turns;      /* of the domains, hv.c */
};

struct hv_driver {
    const char *name;
    /* config is valid as long as the driver is open. */
    struct error *(*open)(const struct hv_config *config, struct hv **ret);
    void (*close)(struct hv *hv);
    const struct hv_caps *(*probe)(struct hv *hv);
    struct error *(*host)(struct hv *hv, struct arena *a, struct hv_host *ret); /* may be NULL */
    struct error *(*dmesg)(struct hv *hv, struct arena *a, const char **ret);   /* may be NULL */
    struct error *(*list)(struct hv *hv, struct arena *a, struct hv_domain **ret, size_t *ret_n);
    struct error *(*query)(struct hv *hv, const char *uuid, struct arena *a, struct hv_domain *ret);
    struct error *(*start)(struct hv *hv, const struct hv_start *p, struct arena *a,
                           struct hv_started *ret);
    struct error *(*unpause)(struct hv *hv, const char *uuid);
    struct error *(*pause)(struct hv *hv, const char *uuid);
    struct error *(*signal)(struct hv *hv, const char *uuid, enum hv_signal signal);
    struct error *(*reset)(struct hv *hv, const char *uuid);
    struct error *(*destroy)(struct hv *hv, const char *uuid);
    struct error *(*forget)(struct hv *hv, const char *uuid);
    struct error *(*suspend)(struct hv *hv, const char *uuid, int fd, int64_t max);
    struct error *(*set_memory)(struct hv *hv, const char *uuid, int64_t target);
    struct error *(*set_vcpus)(struct hv *hv, const char *uuid, int vcpus);
    struct error *(*set_scheduling)(struct hv *hv, const char *uuid, const char *key,
                                    const char *value); /* NULL without HV_CAN_SCHEDULE */
    struct error *(*set_on_reboot)(struct hv *hv, const char *uuid, enum hv_action a);
    struct error *(*attach_disk)(struct hv *hv, const char *uuid, const struct hv_disk *d);
    struct error *(*detach_disk)(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
    struct error *(*change_media)(struct hv *hv, const char *uuid, const struct hv_disk *d);
    struct error *(*attach_nic)(struct hv *hv, const char *uuid, const struct hv_nic *n);
    struct error *(*detach_nic)(struct hv *hv, const char *uuid, int device, int64_t timeout_us);
    struct error *(*stats)(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret);
    struct error *(*console)(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd);
    struct error *(*guest_info)(struct hv *hv, const char *uuid, struct arena *a,
                                struct hv_pair **ret, size_t *ret_n);
    struct error *(*control)(struct hv *hv, const char *json, struct arena *a,
                             const char **ret_json); /* may be NULL */
};

extern const struct hv_driver hv_sim_driver;
extern const struct hv_driver hv_qemu_driver;
extern const struct hv_driver hv_libxl_driver; /* in a program of its own, remote/remote.h */

/* No such domain. */
_malloc_ struct error *hv_no_domain(const char *uuid);
