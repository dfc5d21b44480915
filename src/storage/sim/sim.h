/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The simulated SR: real records, images in memory, no child processes. For tests with thousands of
 * disks and for the whole product without QEMU. Records are kept in one file of the SR's directory,
 * so they survive a restart; data does not.
 */

#include "storage/owner.h"

struct sim_image;

/* Data access of a chain, for the NBD server. Any thread. */
_must_check_ struct error *sim_read(struct place *p, const char *node, void *buf, size_t n,
                                    int64_t at);
_must_check_ struct error *sim_write(struct place *p, const char *node, const void *buf, size_t n,
                                     int64_t at);
_must_check_ struct error *sim_zero(struct place *p, const char *node, size_t n, int64_t at);
int64_t sim_size(struct place *p, const char *node);
/* Moves what `top` holds itself into its parent. */
_must_check_ struct error *sim_merge(struct place *p, const char *top, const char *base);

/* ---- a small NBD server ---- */

struct sim_server;

/* Which image an export shows now; false = no such export. Called from connection threads. */
typedef bool sim_export_fn(void *arg, const char *name, char node[UUID_LEN + 1],
                           bool *ret_writable);

struct sim_server *sim_server_new(struct place *p, sim_export_fn *fn, void *arg);
/* Cuts all clients off. */
void sim_server_free(struct sim_server *s);
/* Between the two no request is under way. */
void sim_server_pause(struct sim_server *s);
void sim_server_resume(struct sim_server *s);
_must_check_ struct error *sim_server_connect(struct sim_server *s, int *ret_fd);

extern const struct owner_driver owner_sim_driver;
