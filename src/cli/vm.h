/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What several commands on VMs share. */

#include "cli/select.h"

/* Record of the VM whose snapshot uuid is in snapshot-uuid or uuid; it must be a snapshot. */
_must_check_ struct error *snapshot_ref(struct xe *x, char **ret);
/* "OK", or why not, for each host. */
_must_check_ struct error *print_host_report(struct xe *x, const char *vm);
/* One call, with "progress" as a task that is watched. */
_must_check_ struct error *run_call(struct xe *x, const char *message, json_t *args);
/* uuid of the SR for new disks, "" if the pool names none. */
_must_check_ struct error *default_sr(struct xe *x, char **ret_ref);
