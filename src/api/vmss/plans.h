/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan types of snapshot schedules, for the engine's table (api/plans.c). */

#include "task/plan.h"

extern const struct plan_type plan_vmss;
