/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text of scalars, shared by the JSON and XML forms and by filters. Reading is strict: the whole
 * text must be the number, false otherwise. Pure; any thread; LC_NUMERIC must be C.
 */

#include "base/str.h"
#include "value/type.h"

/* 16 significant digits, what XenAPI servers send. Not finite: see value/json.h. */
void number_add_float(struct str *out, double v);
/* As above, with 17 digits where 16 would not read back the same. */
void number_add_float_exact(struct str *out, double v);

bool number_parse_int(const char *s, int64_t *ret);  /* decimal, optional sign */
bool number_parse_float(const char *s, double *ret); /* decimal, finite */

/* "" for an index that is not in the table. */
const char *enum_text(const struct enum_info *en, int v);
/* -1 = no such name. */
int enum_find(const struct enum_info *en, const char *name);
