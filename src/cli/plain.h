/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Commands that are one message of the API, described in schema/xe.toml by call, args and result.
 */

#include "cli/command.h"

_must_check_ struct error *plain_run(struct xe *x);
