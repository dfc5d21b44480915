/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The contents of a disk over NBD, as one thread reads or writes it from start to end: several
 * requests in flight, holes neither read nor written. The socket comes connected from
 * xenolith-hostd. libnbd does the protocol.
 *
 * Blocking; one thread per disk. Errors: system errors with what libnbd says.
 */

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct nbd_disk;

/* Takes over fd. */
_must_check_ struct error *nbd_disk_open(int fd, const char *export_name, struct nbd_disk **ret);
/* Errors of what is still in flight are lost: nbd_disk_finish comes first after writing. */
void nbd_disk_close(struct nbd_disk *d);
int64_t nbd_disk_size(const struct nbd_disk *d);

/*
 * Reading: the next piece in order, at most NBD_PIECE bytes. *ret_data NULL = *ret_len zero bytes
 * (a hole, perhaps longer than a piece). *ret_len 0 = the end. The data is valid until the next
 * call.
 */
#define NBD_PIECE (1u << 18)
_must_check_ struct error *nbd_disk_next(struct nbd_disk *d, const void **ret_data,
                                         size_t *ret_len);

/* Before the first piece: reading begins at that byte. EINVAL beyond the end. */
_must_check_ struct error *nbd_disk_skip(struct nbd_disk *d, int64_t bytes);

/*
 * Writing at any offset: the caller fills the room handed out (NBD_PIECE bytes, valid until the
 * next call) and puts the first `len` bytes of it in their place; they are on their way when this
 * returns. Runs of zeroes become holes. Beyond the end of the disk is an error (EFBIG); ENOSPC is a
 * full repository.
 */
_must_check_ struct error *nbd_disk_room(struct nbd_disk *d, char **ret);
_must_check_ struct error *nbd_disk_put(struct nbd_disk *d, int64_t offset, size_t len);
/* Waits for everything and flushes it to the storage. */
_must_check_ struct error *nbd_disk_finish(struct nbd_disk *d);

static inline void cleanup_nbd_disk(struct nbd_disk **d)
{
    if (*d)
        nbd_disk_close(*d);
}

#define _cleanup_nbd_disk_ _cleanup_(cleanup_nbd_disk)
