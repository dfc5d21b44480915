/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every plan the daemon knows, for engine_new: a stored plan is found by its name here. */

#include "task/plan.h"

extern const struct plan_type *const plan_types[]; /* NULL-terminated */
