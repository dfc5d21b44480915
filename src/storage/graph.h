/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The block graph of a QEMU or qemu-storage-daemon, over QMP: what is the same in both.
 * Every image is two nodes: "f<id>" the file and "n<id>" the format, where <id> is the image's UUID
 * in base32 (QEMU's names hold 31 characters, a UUID has 36).
 *
 * Any thread, blocking. Errors are system errors as in hv/qmp.h.
 */

#include "hv/qmp.h"
#include "storage/sr_driver.h"

struct graph_name {
    char s[32];
};
struct graph_name graph_name(char prefix, const struct node *n);
#define GRAPH_ID_LEN 26 /* of a name, behind the prefix */

/* Argument of -blockdev and of blockdev-add for the file node and the format node of an image, over
 * the format node of its parent (own_chain) or over nothing. The caller owns the objects. */
_malloc_ json_t *graph_file_options(const struct node *n, const char *path);
_malloc_ json_t *graph_format_options(const struct node *n, bool over_parent, bool read_only);

_must_check_ struct error *graph_open(struct qmp *q, const struct node *n, const char *path,
                                      bool over_parent, bool read_only);
/* Absent nodes are success. */
_must_check_ struct error *graph_close(struct qmp *q, const struct node *n);
_must_check_ struct error *graph_has(struct qmp *q, const struct node *n, bool *ret);
_must_check_ struct error *graph_snapshot(struct qmp *q, const struct node *n,
                                          const struct node *overlay);
_must_check_ struct error *graph_resize(struct qmp *q, const struct node *n, int64_t size);
/* Virtual size of an open node. */
_must_check_ struct error *graph_size(struct qmp *q, const struct node *n, int64_t *ret);

/* Whether it reads another one below it. */
_must_check_ struct error *graph_is_overlay(struct qmp *q, const struct node *n, bool *ret);

struct owner_commit;
/* `active`: the top of the whole chain, where the guest writes. */
_must_check_ struct error *graph_commit(struct qmp *q, const struct owner_commit *c,
                                        const struct node *active);
/* Ends every job a predecessor left: one that waits for its end is ended if keep says so, others
 * are cancelled. */
_must_check_ struct error *graph_end_jobs(struct qmp *q, bool (*keep)(void *arg, const char *job),
                                          void *arg);

/* Closes images that an unfinished operation left open: those of our naming that `known` does not
 * want. Nodes still in use stay. */
_must_check_ struct error *graph_prune(struct qmp *q, bool (*known)(void *arg, const char *id),
                                       void *arg);

/* `name`: a UUID. */
_must_check_ struct error *graph_export(struct qmp *q, const struct node *n, const char *name,
                                        bool writable);
/* Cuts clients off; absent is success. */
_must_check_ struct error *graph_unexport(struct qmp *q, const char *name);
