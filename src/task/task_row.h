/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The outward form of a task: how its row begins, and its end as status, result text, error array.
 */

#include "base/arena.h"
#include "base/error.h"
#include "gen/class/task.h"

#include <jansson.h>

struct daemon;

/* A new row: pending, made now, of this host. Whose it is the caller says. label must live as long
 * as the transaction. */
void task_row_begin(struct task_rec *row, const struct daemon *d, const char *label);
/* why NULL = success with the result (NULL = void). Only a pending task changes. */
void task_row_end(struct task_rec *row, struct arena *a, const struct error *why,
                  const json_t *result);
/* Somebody asked to cancel the task. */
bool task_row_is_cancelled(const struct task_rec *row);
/* Somebody destroyed the task while it was pending: its row goes instead of telling the end. */
bool task_row_is_unwanted(const struct task_rec *row);

/* "<value>...</value>", the XML-RPC text clients find in task.result. */
const char *task_result_text(struct arena *a, const json_t *result);

/* Removes finished tasks, oldest first, so that at most TASKS_FINISHED_MAX stay. */
#define TASKS_FINISHED_MAX 200
struct store;
_must_check_ struct error *tasks_collect(struct store *s);
