/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Virtual disks: *what* lies on an SR. Disks are known by the UUIDs that callers give them; asking
 * twice for the same UUID is the same request, so any call may be repeated after a crash or a lost
 * answer. What a call has answered is on disk.
 *
 * Any thread; calls block. Errors as in storage.h; copying can be cancelled (ECANCELED).
 */

#include "storage/sr.h"

/* Sizes are rounded up to VDI_SIZE_STEP. format -1: what the SR prefers. props: a map of strings
 * kept with the disk and told by scans (name_label, type, ...). */
_must_check_ struct error *vdi_create(struct storage *s, const char *sr, const char *vdi,
                                      int64_t size, int format, const struct map *props);
/* Absent is success. VDI_IN_USE while it is open. */
_must_check_ struct error *vdi_destroy(struct storage *s, const char *sr, const char *vdi);
/* The caller frees with vdi_info_fini. */
_must_check_ struct error *vdi_stat(struct storage *s, const char *sr, const char *vdi,
                                    struct vdi_info *ret);
void vdi_info_fini(struct vdi_info *i);
/* Replaces all of them. */
_must_check_ struct error *vdi_set_props(struct storage *s, const char *sr, const char *vdi,
                                         const struct map *props);

/*
 * A frozen picture of `vdi` under the UUID `to`, also while a guest writes to it. Costs
 * milliseconds whatever the size. More than VDI_DEPTH_MAX images: SR_BACKEND_FAILURE_109.
 * A clone is the same with a disk that can be written at once.
 */
_must_check_ struct error *vdi_snapshot(struct storage *s, const char *sr, const char *vdi,
                                        const char *to, int64_t time, const struct map *props);
_must_check_ struct error *vdi_clone(struct storage *s, const char *sr, const char *vdi,
                                     const char *to, const struct map *props);
/* Makes a closed disk what its snapshot is; what it was is gone unless something else needs it. */
_must_check_ struct error *vdi_revert(struct storage *s, const char *sr, const char *vdi,
                                      const char *snapshot);
/* All data into a new disk, perhaps on another SR of the same kind (files / sim). Not of a disk
 * that is being written. */
struct image_progress;
_must_check_ struct error *vdi_copy(struct storage *s, const char *sr, const char *vdi,
                                    const char *to_sr, const char *to, int format,
                                    const struct map *props, const struct image_progress *progress);
/* Only upwards; also while a guest uses the disk, but not while it is read over NBD. */
_must_check_ struct error *vdi_resize(struct storage *s, const char *sr, const char *vdi,
                                      int64_t size, int64_t *ret_size);

/*
 * An NBD connection to the disk, served by its owner: a connected stream socket on which the
 * handshake is to be made for the export named `id`. `id` (a UUID chosen by the caller) is this
 * use; it lasts until vdi_nbd_close, also when connections break. Asking again with the same id
 * gives one more connection to the same export. vdi_nbd_attached tells that the handshake has been
 * made; until then the chain stays as it is (merges pass it by, vdi_snapshot and vdi_clone wait,
 * and answer VDI_IN_USE if it takes long): QEMU 7.2 does not hold back a client that comes while it
 * drains an image, so the client's writes would be lost, or the drain would never end.
 * One writer (VDI_IN_USE otherwise); readers see what is there at each moment: to read a disk that
 * is being written, take a snapshot.
 */
_must_check_ struct error *vdi_nbd(struct storage *s, const char *sr, const char *vdi,
                                   const char *id, bool writable, int *ret_fd);
_must_check_ struct error *vdi_nbd_attached(struct storage *s, const char *sr, const char *id);
_must_check_ struct error *vdi_nbd_close(struct storage *s, const char *sr, const char *id);
