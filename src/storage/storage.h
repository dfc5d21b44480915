/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The storage of one host: the set of attached SRs and the processes that hold their disks open.
 * sr.h works on storage repositories, vdi.h on disks, guest.h gives disks to virtual machines.
 *
 * Threads: every function may be called from any worker thread and blocks. Each SR has one lock,
 * held for the milliseconds of a change, never while a disk is copied or merged.
 *
 * Callers give ids (UUIDs), never paths. Where an SR lies is decided here: below one of `roots`.
 * Attached SRs are remembered in `state_dir` and come back with storage_restore.
 *
 * Errors: API errors of the catalogue with UUIDs where the catalogue says references (the caller
 * translates): SR_NOT_ATTACHED [sr], VDI_MISSING [sr, vdi], VDI_IN_USE [vdi, operation],
 * SR_BACKEND_FAILURE_<n> ["", text, ""] with the numbers of enum sr_failure.
 */

#include "base/error.h"

#include <stdint.h>

struct storage;
struct qmp_loop;
struct mounter;

struct storage_config {
    const char *state_dir;    /* durable: the list of attached SRs */
    const char *run_dir;      /* sockets; empty after a boot of the host */
    const char *const *roots; /* directories below which SRs may lie; the first is the default */
    size_t n_roots;
    const char *qemu_img;       /* program, NULL = "qemu-img" */
    const char *storage_daemon; /* program, NULL = "qemu-storage-daemon" */
    struct qmp_loop *loop;      /* borrowed; must outlive the storage; NULL = only "sim" SRs */
    bool block_devices;         /* guests take disks as block devices of the host (guest.h) */
    const char *mount_root; /* directory below which SRs' own file systems are mounted, or NULL */
    const struct mounter *mounter; /* borrowed, with its ctx; NULL = there are no such SRs */
    void *mounter_ctx;
};

/* Everything in the configuration but the loop is copied. */
_must_check_ struct error *storage_new(const struct storage_config *c, struct storage **ret);
/* Stops its storage daemons; guests keep their disks. NULL is accepted. */
void storage_free(struct storage *s);
/* Attaches what was attached; an SR that cannot be attached is told to fn and kept on the list.
 * Those on servers are attached side by side: fn is called from several threads, and may be until
 * storage_free, since a server that takes long is not waited for. */
void storage_restore(struct storage *s, void (*fn)(void *arg, const char *sr, struct error *e),
                     void *arg);

/* The list of attached SRs. spec NULL: the entry cannot be read, because of e, which fn frees. */
struct sr_spec;
typedef void storage_entry_fn(void *arg, const char *sr, const struct sr_spec *spec,
                              struct error *e);
void storage_each_attached(const char *state_dir, storage_entry_fn *fn, void *arg);

/* Numbers behind SR_BACKEND_FAILURE_, as clients know them. */
enum sr_failure {
    SR_FAILURE_SCAN = 40,
    SR_FAILURE_EXISTS = 42,
    SR_FAILURE_NO_SPACE = 44,
    SR_FAILURE_VDI_UNAVAILABLE = 46,
    SR_FAILURE_UNAVAILABLE = 47,
    SR_FAILURE_TYPE = 48,
    SR_FAILURE_VDI_REMOVE = 64,
    SR_FAILURE_VDI_LOAD = 65,
    SR_FAILURE_VDI_CREATE = 78,
    SR_FAILURE_VDI_SIZE = 79,
    SR_FAILURE_VDI_DELETE = 80,
    SR_FAILURE_VDI_CLONE = 81,
    SR_FAILURE_VDI_SNAPSHOT = 82,
    SR_FAILURE_NFS_VERSION = 72,
    SR_FAILURE_NFS_MOUNT = 73,
    SR_FAILURE_DEVICE_MISSING = 90,
    SR_FAILURE_DEVICE_INVALID = 91,
    SR_FAILURE_LOCATION_MISSING = 94,
    SR_FAILURE_SERVERPATH_MISSING = 101,
    SR_FAILURE_SERVER_MISSING = 102,
    SR_FAILURE_NFS_TARGET = 108,
    SR_FAILURE_CHAIN_TOO_LONG = 109,
    SR_FAILURE_VDI_RESIZE = 110,
    SR_FAILURE_SMB_MOUNT = 111,
    SR_FAILURE_PARAMS = 115,
    SR_FAILURE_DNS = 140,
    SR_FAILURE_EIO = 200,
    SR_FAILURE_ISO_LOCATION_MISSING = 220,
    SR_FAILURE_ISO_MOUNT = 222,
    SR_FAILURE_ISO_SHARE = 224,
    SR_FAILURE_ISO_LOCATION = 225,
    SR_FAILURE_ISO_SMB_VERSION = 227,
    SR_FAILURE_ISO_NO_WRITE = 461,
};

_malloc_ struct error *sr_failure(enum sr_failure n, const char *fmt, ...) _printf_(2, 3);
/* A system error becomes an API error: out of space is 44, a vanished place 47, an I/O error 200,
 * anything else `n`. API errors and NULL pass unchanged. Takes and returns ownership. */
struct error *sr_failure_from(enum sr_failure n, struct error *e);

static inline void cleanup_storage(struct storage **s)
{
    storage_free(*s);
}
#define _cleanup_storage_ _cleanup_(cleanup_storage)
