/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Passwords in a device_config. Clients hand them in as `password`; the row of a PBD holds
 * `password_secret`, the uuid of a Secret; hostd alone is told the password again.
 */

#include "gen/types.h"
#include "model/txn.h"
#include "task/daemon.h"

/* Every password becomes a row of its own. */
void secrets_hide(struct txn *t, struct map_string_string *config);
/* For hostd. SR_BACKEND_FAILURE_20: a secret is not there. */
_must_check_ struct error *secrets_show(struct daemon *d, struct arena *a,
                                        const struct map_string_string *config,
                                        struct map_string_string *ret);
/* Removes the rows it names, but for those that the device_config of another PBD than `pbd` (may
 * be NULL) names as well. */
_must_check_ struct error *secrets_drop(struct txn *t, const char *pbd,
                                        const struct map_string_string *config);
