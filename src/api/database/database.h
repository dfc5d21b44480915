/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The database as a dump (stream/dump.h), and a dump as the database.
 *
 * What a dump brings: VMs, snapshots and templates with their devices and disks, appliances,
 * schedules, groups, PVS, people and their roles take the place of those that are there;
 * repositories, networks and secrets join them; settings of the pool are taken over. What belongs
 * to the machine stays: host, control domain, network interfaces, devices, drivers, certificates,
 * and the connections of repositories that are there. So other hosts of the dump, and what is
 * theirs, are left out. Rows with the same uuid are the same object and keep the reference that
 * they have here.
 *
 * Threads: any.
 */

#include "model/txn.h"
#include "stream/dump.h"
#include "task/daemon.h"

/* ---- out ---- */

struct database_rows {
    struct store *store;
    struct version_list of[CLASS_MAX];
    uint64_t generation;
    size_t n;
};

/* All durable rows as they are at one moment. */
_must_check_ struct error *database_collect(struct store *s, struct database_rows *ret);
void database_rows_fini(struct database_rows *r);

/* Where the text goes, piece by piece. done: rows so far. */
struct database_sink {
    struct error *(*fn)(void *ctx, const char *text, size_t n, size_t done);
    void *ctx;
};

_must_check_ struct error *database_write(const struct database_rows *r,
                                          const struct database_sink *sink);

/* ---- in ---- */

/* Classes that matter, for dump_reader_new. */
extern const bool database_wanted[CLASS_MAX];

struct database_restore {
    struct daemon *daemon;
    const struct dump *dump;
    /* uuids of VMs that were there and are no more, which the host may forget after the commit. In
     * the transaction's arena. */
    const char **gone;
    size_t n_gone;
};

/* RESTORE_INCOMPATIBLE_VERSION unless it was written for the same schema; force: for the same major
 * version. */
_must_check_ struct error *database_check_version(const struct dump *dump, bool force);
/*
 * Fills a transaction (ctx: struct database_restore); for txn_run. HOST_IN_USE while a guest runs,
 * OTHER_OPERATION_IN_PROGRESS while something is done to what would change, INVALID_VALUE for rows
 * that cannot be.
 */
_must_check_ struct error *database_restore_fill(void *ctx, struct txn *t);
