/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A value as the string that a database of the XenAPI stores, which is what filters compare:
 * bool true/false, int decimal, float %.18g, date 20240131T12:34:56Z, enum and reference as on the
 * wire, set ('a' 'b'), map (('k' 'v') ('l' 'w')), quote and backslash with a backslash before them;
 * an absent option is (), a present one ('v'). Records and opaque JSON have none: "".
 */

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "value/type.h"

void stored_form_add(struct str *out, const struct type *t, const void *p);
/* And back; texts are copied into the arena. The empty text is the null reference. System error:
 * what was expected. */
_must_check_ struct error *stored_form_read(struct arena *a, const struct type *t, const char *text,
                                            void *ret);
