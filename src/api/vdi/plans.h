/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The plan types of VDIs, for the engine's table (api/plans.c). */

#include "task/plan.h"

extern const struct plan_type plan_vdi_checksum;
extern const struct plan_type plan_vdi_clone;
extern const struct plan_type plan_vdi_copy;
extern const struct plan_type plan_vdi_create;
extern const struct plan_type plan_vdi_destroy;
extern const struct plan_type plan_vdi_resize;
extern const struct plan_type plan_vdi_revert;
extern const struct plan_type plan_vdi_snapshot;
