/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The contents of a disk, as hostd lends them: the NBD connection and what hostd knows it by. */

#include "gen/host_proto.h"
#include "stream/nbd_disk.h"
#include "task/daemon.h"

struct host_disk {
    struct nbd_disk *nbd;
    const char *handle; /* for hostd_vdi_nbd_close; in the arena, NULL = hostd lent nothing */
};

/*
 * Ready to read or write; errors of hostd name references. On an error the NBD connection is closed
 * and ret->handle may be set: hostd is to be told in every case. Blocks.
 */
_must_check_ struct error *host_disk_open(struct daemon *d, const struct host_vdi_nbd_args *args,
                                          struct arena *a, struct host_disk *ret);
/* For plans: when hostd was let go meanwhile, the next program closes it. Nothing to close is fine.
 */
void host_disk_close(struct daemon *d, struct host_disk *disk, struct arena *a);
