/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Upkeep of the rows of repositories (see refresh.c). Asks hostd and blocks. */

#include "base/error.h"
#include "task/daemon.h"

struct sr_rec;
struct txn;

/* Sizes of all attached repositories; contents of those with other_config auto-scan or dirty. */
_must_check_ struct error *sr_refresh_all(struct daemon *d);
/* Sizes into a row being changed. */
_must_check_ struct error *sr_write_sizes(struct daemon *d, struct txn *t, struct sr_rec *sr);
