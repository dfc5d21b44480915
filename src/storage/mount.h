/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * File systems that SRs have to themselves, and who mounts them. Which one a device_config asks for
 * is sr_mount.h's affair; here is what a *mounter* does, since the program that serves storage need
 * not have the privilege. Each is mounted on a directory below the mounter's root that has the name
 * of its order, a UUID.
 *
 * Any thread. Calls block, each for a limited time; what takes longer is ETIMEDOUT and is ended,
 * also if a server or a disk does not answer. Errors are system errors with the words of the
 * program that failed.
 */

#include "base/error.h"
#include "base/str.h"
#include "base/uuid.h"

#include <stdint.h>

#define MOUNT_TIME_S  20  /* mounting, unmounting, asking a server */
#define FORMAT_TIME_S 300 /* making a file system */

struct mount_order {
    const char *name;     /* of the directory: a UUID */
    const char *fs;       /* "ext4", "xfs", "nfs", "cifs" */
    const char *source;   /* device, "server:/path", "//server/share" */
    const char *options;  /* "" or a list with commas; what hardens it is added by the mounter */
    const char *password; /* of a share, "" = none; never seen on a command line */
    bool read_only;
};

/* What lies on a block device. */
struct device_look {
    char fs[32]; /* "ext4", ...; a kind of partition table; "" = nothing that anybody knows */
    char uuid[64];
    char label[64];
    int64_t size;
    bool in_use; /* mounted, or part of something: of another program or of the kernel */
};

typedef void mount_entry_fn(void *arg, const char *name, const char *source);

struct mounter {
    struct error *(*mount)(void *ctx, const struct mount_order *o);
    /* Also of a server that is gone. Not mounted is success. */
    struct error *(*unmount)(void *ctx, const char *name);
    /* What is mounted below the root. Asks no server. */
    struct error *(*list)(void *ctx, mount_entry_fn *fn, void *arg);
    struct error *(*look)(void *ctx, const char *device, struct device_look *ret);
    /* Whatever was on the device is gone. EBUSY: it is in use. */
    struct error *(*format)(void *ctx, const char *fs, const char *device, const char *uuid);
    /* The device holds no file system any more. */
    struct error *(*wipe)(void *ctx, const char *device);
    /* What an NFS server offers, a path a line. */
    struct error *(*exports)(void *ctx, const char *server, struct str *ret);
};

/* By the programs of the system. ctx: const char *, the root. Needs CAP_SYS_ADMIN. */
extern const struct mounter mounter_programs;

/* The label of file systems that are SRs'. */
#define MOUNT_LABEL "xenolith-sr"

/* Whoever sent it: it is one of our kinds, its words are no others than storage would use. */
_must_check_ struct error *mount_check_order(const struct mount_order *o);
_must_check_ struct error *mount_check_device(const char *device);
_must_check_ struct error *mount_check_server(const char *server);
