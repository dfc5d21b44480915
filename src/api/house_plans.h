/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plans of storage and network calls, for engine_new. */

#include "task/plan.h"

extern const struct plan_type *const house_plans[]; /* NULL-terminated */
