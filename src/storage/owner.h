/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The owner of a chain: the one process that has it open (docs/decisions/0002-one-owner-per-chain).
 * It is the guest's QEMU (owner_guest.c), a qemu-storage-daemon of ours (owner_daemon.c), or a
 * simulated one (sim/). All changes of an open chain and all NBD connections to it go through here.
 *
 * Functions are called with the SR's lock held, except owner_commit. Pins of the nodes are the
 * caller's affair. Errors are system errors.
 */

#include "storage/sr_driver.h"

struct owner;
struct qmp_loop;

struct owner_commit {
    const struct node *top; /* merged into base, its parent */
    const struct node *base;
    int64_t bytes_per_second; /* 0 = no limit */
    const struct image_progress *progress;
    /* Called while nothing is written: `base` now holds all there is to read through `top`. On
     * success the owner goes on with base alone, on an error with the chain as it was. */
    struct error *(*before_switch)(void *arg);
    void *arg;
};

struct owner_driver {
    /* Opens the chain that ends in top. */
    struct error *(*start)(const struct place_config *c, const struct sr_driver *sr,
                           struct place *p, const struct node *top, bool writable,
                           struct owner **ret);
    /* Ends it; whoever is connected is cut off. Cannot fail, frees. */
    void (*stop)(struct owner *o);
    bool (*alive)(struct owner *o);
    /* Opens the new overlay of the present top, without using it yet / makes it the top, for all
     * who read and write / closes a node that is not used. */
    struct error *(*overlay_open)(struct owner *o, const struct node *n);
    struct error *(*overlay_switch)(struct owner *o, const struct node *n);
    void (*node_close)(struct owner *o, const struct node *n);
    /* Without the SR's lock. */
    struct error *(*commit)(struct owner *o, const struct owner_commit *c);
    struct error *(*resize)(struct owner *o, int64_t size);
    /* NBD exports of the top; a connected stream socket on which the handshake is still to be
     * made, with the export's name. */
    struct error *(*export_add)(struct owner *o, const char *name, bool writable);
    void (*export_remove)(struct owner *o, const char *name);
    struct error *(*connect)(struct owner *o, int *ret_fd);
    /* Owners that serve a guest which is not their own process; NULL where there are none. keep:
     * it outlives this program from now on, under that name / let go of it, it goes on / the one a
     * predecessor kept, ENOENT if it is not there any more. */
    struct error *(*keep)(struct owner *o, const char *name);
    void (*leave)(struct owner *o);
    struct error *(*adopt)(const struct place_config *c, const char *name, struct owner **ret);
};

struct owner {
    const struct owner_driver *driver;
    const struct sr_driver *sr;
    struct place *place;
    struct vdi *vdi;        /* whose chain it is; NULL for a merge of frozen images */
    const struct node *top; /* kept up to date by the callers of overlay_switch and commit */
    bool writable;          /* holds the writer's pin of top */
    unsigned n_exports;
    char *guest; /* id of the guest whose QEMU it is, NULL = ours */
};

extern const struct owner_driver owner_daemon_driver;
extern const struct owner_driver owner_guest_driver;

/* Ends storage daemons that a predecessor of this process left in run_dir, but for those it kept.
 */
void owner_daemon_sweep(const char *run_dir, struct qmp_loop *loop);
/* Ends those that were kept under names that begin so; fn (may be NULL) hears each name. */
void owner_daemon_end_kept(const char *run_dir, struct qmp_loop *loop, const char *prefix,
                           void (*fn)(const char *name));
