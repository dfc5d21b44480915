/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * xenolith-verify beside the running daemons, for a report. It only looks: it may read the two
 * state directories and the roots of repositories, and write to a folder of its own below
 * <state>/verify, where it copies the store to. One at a time. Any thread; blocks up to
 * CHECK_TIME_S.
 */

#include "base/str.h"
#include "hostd/machine.h"

#define CHECK_TIME_S  60
#define CHECK_OUT_MAX (4u << 20)

/* What it says. TOO_MANY_PENDING_TASKS: one is under way. */
_must_check_ struct error *check_run(struct machine *m, struct str *ret);
