/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshot schedules: what a schedule may say, and when it is due. Times are the host's wall clock
 * (UTC), seconds since 1970. Pure.
 */

#include "base/error.h"
#include "gen/class/VMSS.h"

#define VMSS_MIN  "min"
#define VMSS_HOUR "hour"
#define VMSS_DAYS "days"

/* INVALID_VALUE [schedule:key, value]: hourly needs min, daily hour as well, weekly also days. */
_must_check_ struct error *vmss_check_schedule(const struct map_string_string *schedule,
                                               enum vmss_frequency frequency);
_must_check_ struct error *vmss_check_key(const char *key, const char *value);
/* The last moment at or before now when it should have run; -1 = its schedule never says so. */
int64_t vmss_last_due(const struct vmss_rec *v, int64_t now);
