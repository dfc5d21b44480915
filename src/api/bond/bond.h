/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settings of bonds, which depend on the mode. Pure. */

#include "base/arena.h"
#include "base/error.h"
#include "gen/enums.h"
#include "gen/types.h"

/* INVALID_VALUE [properties, name=value] for what the mode does not know. */
_must_check_ struct error *bond_check_property(enum bond_mode mode, const char *name,
                                               const char *value);
/* What of `wanted` fits the mode, and the mode's usual value for what is not said. */
struct map_string_string bond_properties(struct arena *a, enum bond_mode mode,
                                         const struct map_string_string *wanted);
