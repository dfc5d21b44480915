/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A value as the string that a database of the XenAPI stores, which is what filters compare:
 * bool true/false, int decimal, float %.18g, date 20240131T12:34:56Z, enum and reference as on the
 * wire, set ('a' 'b'), map (('k' 'v') ('l' 'w')), quote and backslash with a backslash before them;
 * an absent option is (), a present one ('v'). Records and opaque JSON have none: "".
 */

#include "base/str.h"
#include "value/type.h"

void stored_form_add(struct str *out, const struct type *t, const void *p);
