/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What agents in guests write to xenstore, below /local/domain/<domid>/, as keys of
 * VM_guest_metrics. The paths are those of the agents in use (xe-guest-utilities and its like).
 * Pure.
 */

#include "base/arena.h"

/* The metrics' key of a path like "data/os_name" or "attr/vif/0/ipv4/0"; NULL = of no interest.
 * ret_also: another key with the same value, NULL = none. */
const char *guest_key(struct arena *a, const char *path, const char **ret_also);
