/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * VMs without the bytes of their disks, as ova.xml tells them: out of the store and into it.
 *
 * Threads: any. Sources: XenAPI metadata export and import, the XVA format.
 */

#include "base/str.h"
#include "model/txn.h"
#include "stream/ova.h"
#include "task/daemon.h"

/* ---- out ---- */

/* Kinds of devices that may be left out. */
enum metadata_devices {
    METADATA_VIF = 1 << 0,
    METADATA_VBD = 1 << 1,
    METADATA_VGPU = 1 << 2,
    METADATA_VTPM = 1 << 3,
};

struct metadata_wish {
    const char *vm;   /* reference; NULL = all but snapshots, which come with their VMs */
    bool dom0;        /* of all: control domains too */
    bool snapshots;   /* those of the VMs as well */
    bool parents;     /* disks that disks are based on */
    unsigned without; /* enum metadata_devices */
};

/* Comma-separated words: vif, vbd, vgpu, vtpm. INVALID_VALUE. */
_must_check_ struct error *metadata_devices_read(const char *text, unsigned *ret);
/* The text of an ova.xml is added to ret. Takes a moment for all of many. */
_must_check_ struct error *metadata_export(struct daemon *d, const struct metadata_wish *wish,
                                           struct str *ret);

/* ---- in ---- */

/* Which disk takes the place of one that was exported. */
struct metadata_disk {
    const char *source; /* its uuid, or SCSIid of its sm_config */
    const char *target; /* uuid of one of ours */
};

struct metadata_options {
    bool restore; /* the same VMs: their uuids, MAC addresses and seeds; ones that exist are
                     replaced */
    bool force; /* older versions, seeds twice, disks that are not there: taken, taken, left out */
    bool dry_run; /* everything is checked and nothing is made */
    const struct metadata_disk *disks;
    size_t n_disks;
};

struct metadata_import {
    struct daemon *daemon;
    const struct ova *ova;
    const struct metadata_options *options;
    /* References of the VMs, in the order of the objects, without snapshots of others of them. In
     * the transaction's arena. */
    const char **vms;
    size_t n_vms;
};

/* Reads the text: IMPORT_ERROR, IMPORT_INCOMPATIBLE_VERSION for that of a later program (unless
 * forced). */
_must_check_ struct error *metadata_read(struct arena *a, const char *text, size_t n, bool force,
                                         struct ova *ret);
/* Fills a transaction (ctx: struct metadata_import); for txn_run. */
_must_check_ struct error *metadata_fill(void *ctx, struct txn *t);
