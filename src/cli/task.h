/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tasks of the server that a command waits for. */

#include "cli/session.h"

/*
 * Waits for the end of a task by events, shows a bar on stderr if asked to, and destroys it. A task
 * that failed is its error; *ret_result (may be NULL) is the text of its result.
 */
_must_check_ struct error *task_finish(struct client *c, const char *task, bool progress,
                                       char **ret_result);
/* One line of the bar: "\r  42% | ####". */
void progress_line(double done, struct str *out);
