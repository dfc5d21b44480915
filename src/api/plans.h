/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every plan type of the daemon: what a restarted daemon can take up again. NULL ends the list. */

#include "task/plan.h"

extern const struct plan_type *const api_plan_types[];
