/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What owners made of QEMU's block layer share: a process that speaks QMP (a storage daemon with
 * one chain, or a guest's QEMU with several), and the slots of owner_driver that only need that.
 */

#include "storage/graph.h"
#include "storage/owner.h"

#include <pthread.h>

struct qemu_process {
    pthread_mutex_t lock;
    pthread_cond_t unused;
    struct qmp *qmp; /* NULL while not connected */
    unsigned users;  /* calls that hold qmp */
    char *nbd_path;  /* socket of its NBD server */
    bool nbd_started;
};

void qemu_process_init(struct qemu_process *p, char *nbd_path); /* takes the path */
void qemu_process_fini(struct qemu_process *p);
/* Waits until nobody uses the connection before. */
void qemu_process_set_qmp(struct qemu_process *p, struct qmp *q);
/* The connection for the time of some commands; ENOTCONN without one. */
_must_check_ struct error *qemu_process_enter(struct qemu_process *p, struct qmp **ret);
void qemu_process_leave(struct qemu_process *p);

struct qemu_owner {
    struct owner o;
    struct qemu_process *process;
};

bool qemu_owner_alive(struct owner *o);
struct error *qemu_overlay_open(struct owner *o, const struct node *n);
struct error *qemu_overlay_switch(struct owner *o, const struct node *n);
void qemu_node_close(struct owner *o, const struct node *n);
struct error *qemu_commit(struct owner *o, const struct owner_commit *c);
struct error *qemu_resize(struct owner *o, int64_t size);
struct error *qemu_export_add(struct owner *o, const char *name, bool writable);
void qemu_export_remove(struct owner *o, const char *name);
/* Starts the NBD server of a process that did not start with one. */
_must_check_ struct error *qemu_nbd_ready(struct qemu_process *p);
struct error *qemu_connect(struct owner *o, int *ret_fd);
