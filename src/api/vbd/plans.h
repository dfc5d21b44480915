/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan types of VBDs, for the engine's table (api/plans.c). */

#include "task/plan.h"

extern const struct plan_type plan_vbd_plug;
extern const struct plan_type plan_vbd_unplug;
extern const struct plan_type plan_vbd_insert;
extern const struct plan_type plan_vbd_eject;
