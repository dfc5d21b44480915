/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Binary objects that belong to another object: the row, and its name in the owner's map. The bytes
 * come by PUT /blob.
 */

#include "gen/class/blob_txn.h"

struct call;

/* NO_LOCAL_STORAGE [] if the host keeps none. */
_must_check_ struct error *blob_check_storage(struct call *c);

_must_check_ struct error *blob_new(struct call *c, const char *mime_type, bool is_public,
                                    struct blob_rec **ret);
/* create_new_blob of any class: blobs is the owner's map, in a row that is being edited.
 * MAP_DUPLICATE_KEY [class_name, "blobs", owner, name]. */
_must_check_ struct error *blob_new_named(struct call *c, struct map_string_ref *blobs,
                                          const struct blob_rec *like, const char *class_name,
                                          const char *owner, const char **ret);
