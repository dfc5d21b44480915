/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The task of a transfer and the disk it holds, which outlive the program's rights: a transfer that
 * has begun goes on in a program that has handed over, and then asks the next one. What a
 * transfer_* call of transfer.h does to the task is here too. Any thread.
 */

#include "api/http/transfer.h"

#include <jansson.h>

/* A transfer begins: it may use the store and hostd until it is told that it has begun. False: that
 * is over. Blocks while transfers are held. */
bool transfer_begin(struct transfer *t);
/* It has its connection, or has ended: from now on it enters for each call. May come twice. */
void transfer_begun(struct transfer *t);

_must_check_ struct error *transfer_task_new(struct transfer *t);
/* Of a transfer that begins anew elsewhere. */
void transfer_task_discard(struct transfer *t);
void transfer_task_end(struct transfer *t, const struct error *why);
void transfer_close_disk(struct transfer *t, const char *handle);
