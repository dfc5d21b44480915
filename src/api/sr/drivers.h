/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The storage drivers as rows of class SM: what types of SR there are and what each can do. */

#include "model/txn.h"

struct sm_rec;

/* Brings the rows in line with the types hostd has drivers for. */
_must_check_ struct error *sm_rows_update(struct txn *t, const char *const *types, size_t n_types);

/* NULL = there is no such type. */
const struct sm_rec *sm_find(struct txn *t, const char *type);
bool sm_has_feature(const struct sm_rec *sm, const char *feature);
