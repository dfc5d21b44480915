/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Search filters (RFC 4515) with texts of strangers in them. Pure; the caller frees.
 */

#include "base/mem.h"

/* A text as a value: all but letters and digits as \XX, so that nothing in it means anything. */
_malloc_ char *filter_escape(const char *text);
/* Each %s of the template is the name, escaped. */
_malloc_ char *filter_for_name(const char *template, const char *name);
/* Each %s is `*`: whoever has such a name at all. */
_malloc_ char *filter_for_anyone(const char *template);
/* (&FILTER(attribute=value)), the value escaped. */
_malloc_ char *filter_and(const char *filter, const char *attribute, const char *value);
