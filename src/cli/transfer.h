/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A file to or from a host, over HTTP, on a connection of its own. A task tells how it went: it is
 * made first, the server ends it, and its failure is the command's.
 */

#include "cli/command.h"

struct transfer {
    const char *label;  /* of the task */
    const char *detail; /* its description; NULL = none */
    const char *path;   /* "/import_raw_vdi/" */
    const char *query;  /* what is asked, escaped, without session and task; "" = nothing */
    const char *host;   /* reference of the host that has it; NULL = any */
    const char *file;   /* download: must not exist; "" = stdout */
    bool upload;
    bool progress;  /* set by transfer_run: asked for, or somebody looks on */
    int64_t total;  /* bytes of a download, for the bar; 0 = unknown */
    bool resumes;   /* the server can go on in the middle */
    int64_t offset; /* where to: what is before has gone over. The word offset= */
};

/* *ret_result (may be NULL): result of the task. */
_must_check_ struct error *transfer_run(struct xe *x, const struct transfer *t, char **ret_result);

/* Adds "&key=value" with the value escaped. */
void query_add(struct str *query, const char *key, const char *value);
