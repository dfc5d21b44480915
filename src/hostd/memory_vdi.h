/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A guest's memory kept in a VDI. The hypervisor writes or reads a pipe; a thread moves the bytes
 * to or from the disk through NBD.
 *
 * Layout, ours: 4096 bytes of head, then the stream. The head is zero until everything behind it is
 * on disk: "XENOMEM1", 8 bytes length of the stream (little endian), the VM's uuid as text.
 */

#include "hostd/machine.h"

#include <stdint.h>

#define MEMORY_VDI_HEAD 4096

struct memory_move;

/* The pipe end for the hypervisor is *ret_fd (the caller's), the room for the stream *ret_max. */
_must_check_ struct error *memory_save_start(struct machine *m, const char *sr, const char *vdi,
                                             const char *vm, int *ret_fd, int64_t *ret_max,
                                             struct memory_move **ret);
_must_check_ struct error *memory_load_start(struct machine *m, const char *sr, const char *vdi,
                                             const char *vm, int *ret_fd, struct memory_move **ret);
/* The caller has closed its end. Waits for the thread; success: all of it was moved (and, saving,
 * is on disk and marked complete, if `complete`). Frees. NULL is accepted. */
_must_check_ struct error *memory_move_end(struct memory_move *mv, bool complete);
/* The VDI holds the whole memory of that VM. */
_must_check_ struct error *memory_is_saved(struct machine *m, const char *sr, const char *vdi,
                                           const char *vm, bool *ret);
