/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* struct world (base/world.h) of the simulation: virtual clocks, chance from the seed. */

#include "simulation/random.h"

void world_install(struct chance *chance);
