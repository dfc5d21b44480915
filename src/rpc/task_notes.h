/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a request says about the task that it gets: which one it is a part of (`subtask_of` as
 * cookie, header or query; it need not exist), and notes of the client's own, headers
 * x-http-other-config-KEY, which become http:KEY in the task's other_config.
 *
 * Source: XenAPI HTTP requests.
 */

#include "gen/class/task.h"
#include "model/txn.h"
#include "wire/server.h"

/* Into a row that the transaction makes; nothing of the request is borrowed. */
void task_notes_add(struct txn *t, struct task_rec *row, const struct http_request *rq);
