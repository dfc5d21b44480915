/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A mounter without mounts: what a device, a server or a share holds is a folder, and "mounted" is
 * a symbolic link to it. So the contract runs where nobody may mount. Its state is all in files:
 * another process, or a storage that was started again, finds it as a kernel would tell it.
 *
 *     <dir>/mnt/<name>          a link to <dir>/held/<source>
 *     <dir>/disk/<device>       "fs uuid label" of a device that is there
 */

#include "storage/mount.h"

#define FAKE_DEVICE   "/dev/fake0"
#define FAKE_SERVER   "filer.example"
#define FAKE_EXPORT   "/srv/disks"
#define FAKE_SHARE    "//filer.example/disks"
#define FAKE_PASSWORD "open,sesame"

struct fake_mounter {
    char *dir;
    char *root;  /* <dir>/mnt */
    bool silent; /* servers do not answer */
    bool deaf;   /* mounts wait until it is false again: a server that hangs */
    int mounts;  /* so far */
};

/* With a device FAKE_DEVICE, blank. */
void fake_mounter_init(struct fake_mounter *f, const char *dir);
void fake_mounter_fini(struct fake_mounter *f);
/* What blkid would find; fs NULL: the device is gone. */
void fake_mounter_device(struct fake_mounter *f, const char *fs, const char *uuid,
                         const char *label);
/* The folder behind a source. The caller frees. */
char *fake_mounter_held(const struct fake_mounter *f, const char *source);

extern const struct mounter mounter_fake; /* ctx: struct fake_mounter * */
