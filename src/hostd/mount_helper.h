/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The process that mounts (storage/mount.h). hostd gives the privilege up before its first thread,
 * so a process is started before that, which keeps it and can do nothing else: it takes orders over
 * a socket, checks each again and runs the programs of the system. It ends with hostd; what it
 * mounted stays.
 */

#include "storage/mount.h"

struct mount_helper;

/* For `xenolith-hostd --mount-helper ROOT`: the process itself. */
int mount_helper_main(const char *root);

/* Before privileges are given up. Mounts below <state>/mnt, which it makes. */
_must_check_ struct error *mount_helper_start(const char *state_dir, struct mount_helper **ret);
void mount_helper_free(struct mount_helper *h); /* NULL is accepted */
/* The directory below which it mounts. */
const char *mount_helper_root(const struct mount_helper *h);

extern const struct mounter mounter_helper; /* ctx: struct mount_helper * */
