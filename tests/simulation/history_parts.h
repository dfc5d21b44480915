/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the history checker. */

#include "model/store.h"
#include "simulation/history.h"

/* history.c: a store was opened. */
void history_begin(struct store *s);
void history_count_load(size_t rows);
/* published.c */
void published_begin(struct store *s);
