/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Calls that a daemon gives up when it ends, for the one that takes over. A call with a connection
 * travels with it and is read again there; what is kept here is the rest: Async calls that have
 * committed nothing yet, the plans whose end somebody waits for, and disks that were open when
 * hostd was let go.
 *
 * Any thread.
 */

#include "base/error.h"

#include <jansson.h>

struct daemon;
struct job;
struct left;

struct left *left_new(void);
void left_free(struct left *l);

/* For job_leave. False: it has no JSON form. */
_must_check_ bool left_add_async(struct left *l, const struct job *j);
void left_add_caller(struct left *l, const char *task);

void left_add_disk(struct left *l, const char *handle); /* for hostd_vdi_nbd_close */

/* {"calls": [...], "awaited": [references of tasks], "disks": [handles]}; the caller owns it,
 * nothing is left. */
json_t *left_take(struct left *l);
/* Before the engine takes up its plans: callers of these will come. */
void left_expect(struct daemon *d, const json_t *left);
/* Closes the disks and runs the calls. One that this program does not understand fails its task. */
void left_run(struct daemon *d, const json_t *left);
