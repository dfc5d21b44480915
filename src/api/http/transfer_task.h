/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The task of a transfer and the disk it holds, which outlive the program's rights: a transfer that
 * has begun goes on in a program that has handed over, and then asks the next one. What a
 * transfer_* call of transfer.h does to the task is here too. Any thread.
 */

#include "api/http/transfer.h"

#include <jansson.h>

_must_check_ struct error *transfer_task_new(struct transfer *t);
/* Of a transfer that begins anew elsewhere. */
void transfer_task_discard(struct transfer *t);
void transfer_task_end(struct transfer *t, const struct error *why);
void transfer_close_disk(struct transfer *t, const char *handle);
