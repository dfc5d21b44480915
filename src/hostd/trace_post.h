/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sends traces to a collector: curl, confined, for each batch. It follows no redirection, reads no
 * settings of its own and says nothing of what the collector answered but whether it took them.
 */

#include "base/error.h"

struct machine;

#define TRACE_POSTS  8 /* at a time */
#define TRACE_TIME_S 5

/* INVALID_VALUE: that is no address; TOO_MANY_PENDING_TASKS; EPROTO: the collector refused them;
 * else it was not reached. */
_must_check_ struct error *trace_post(struct machine *m, const char *url, const char *spans);
