/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A VDI opened for one transfer. */

#include "api/common/host_disk.h"
#include "api/http/transfer.h"

/* What is asked for must be raw, so far: 404 otherwise. */
_must_check_ struct error *disk_format(struct transfer *t, const char *format);
/* For transfer_kind: a host that has the repository of the disk. */
const char *disk_where(const struct transfer *t, struct txn *x);
/* vdi is in the transfer's arena. Waits a moment for another transfer that is about to end. */
_must_check_ struct error *disk_open(struct transfer *t, const char *vdi, bool writable,
                                     struct host_disk *ret);
/* disk_own.c: a disk in the repository that sr_id names, for bytes to come; and without them.
 * Blocks. */
_must_check_ struct error *disk_make(struct transfer *t, int64_t size, const char **ret);
_must_check_ struct error *disk_unmake(struct transfer *t, const char *vdi);
/* What reading or writing it gave, as the API tells it: a full repository, a broken disk. */
_must_check_ struct error *disk_failure(struct error *e);
void disk_close(struct transfer *t, struct host_disk *d);
