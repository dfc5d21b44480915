/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows of any class, by their tables. Pure. */

#include "gen/classes.h"

/* Own fields of a row into another of its class; identity, inverse and derived fields, and
 * operations under way stay. What the fields point to is shared. */
void row_copy_fields(enum class_id class_id, void *to, const void *from);
