/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a status report for those who look for a fault may hold: the parts, each a file made in
 * memory. No passwords, keys or contents of secrets.
 */

#include "base/arena.h"
#include "base/limit.h"
#include "base/str.h"
#include "gen/classes.h"
#include "task/daemon.h"

/* A part is cut behind the row that reaches it. */
static inline size_t report_part_max(void)
{
    return (size_t)limit_of("XENOLITH_REPORT_PART", 64ll << 20);
}

struct report_part {
    const char *key;  /* as clients choose it */
    const char *file; /* within the archive */
    const char *text; /* what it is, for people */
    const char *mime;
    struct error *(*fill)(struct daemon *d, struct arena *a, struct str *out);
};

extern const struct report_part report_parts[]; /* .key NULL ends it */

/* All of them as XenAPI servers tell them. */
void report_capabilities(struct str *out);

/* report_database.c */

/* Takes from a copy of a row what opens anything. */
void report_hide(struct arena *a, enum class_id class_id, void *rec);
/* The database as a dump, without that. */
_must_check_ struct error *report_database(struct daemon *d, struct arena *a, struct str *out);
