/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan types of SRs, for the engine's table (api/plans.c). */

#include "task/plan.h"

extern const struct plan_type plan_sr_create;
extern const struct plan_type plan_sr_destroy;
extern const struct plan_type plan_sr_scan;
