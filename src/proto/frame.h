/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Messages of the host protocol on a stream socket: four bytes of length (little endian), then that
 * many bytes of JSON. Descriptors travel as SCM_RIGHTS with the first byte of the length.
 *
 *   call    {"id": 7, "call": "vm_pause", "args": {...}}
 *   answer  {"id": 7, "result": {...}}
 *           {"id": 7, "error": {"code": "VM_X", "params": ["..."], "detail": "..."}}
 *           {"id": 7, "error": {"errno": 28, "detail": "..."}}
 *   event   {"event": {...}}                       (hostd to xenolithd only)
 *   cancel  {"cancel": 7}                          (xenolithd to hostd only)
 *
 * Calls and answers may overtake each other. Blocking; one sender and one reader at a time.
 */

#include "base/error.h"
#include "base/str.h"

#include <stdint.h>

#define FRAME_MAX_FDS   16
#define FRAME_MAX_CALL  (1u << 20)  /* what hostd accepts */
#define FRAME_MAX_REPLY (64u << 20) /* what xenolithd accepts: lists of thousands of disks */

struct frame {
    struct str text;
    int fds[FRAME_MAX_FDS]; /* owned */
    size_t n_fds;
};

#define FRAME_INIT ((struct frame){.n_fds = 0})
void frame_fini(struct frame *f);
#define _cleanup_frame_ _cleanup_(frame_fini)

/* The descriptors stay the caller's. ETIMEDOUT if the peer does not read (SO_SNDTIMEO). */
_must_check_ struct error *frame_send(int fd, const char *text, size_t len, const int *fds,
                                      size_t n_fds);
/* ECONNRESET at the end of the stream; ETIMEDOUT if nothing comes (SO_RCVTIMEO); EMSGSIZE, EPROTO
 * for a peer that breaks the rules. */
_must_check_ struct error *frame_recv(int fd, size_t max, struct frame *ret);
