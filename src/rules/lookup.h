/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small questions the rules ask about rows: flags kept as text in maps, the pool, the driver of a
 * repository, what kind of guest runs. Pure; nothing is allocated.
 */

#include "gen/class/SM.h"
#include "gen/class/VM.h"
#include "gen/class/pool.h"
#include "model/view.h"

#include <string.h>

bool ref_is_set(const char *ref);

/* The value of a key, NULL = absent. */
const char *config_find(const struct map_string_string *m, const char *key);
/* "true" or "1". */
bool config_is_true(const struct map_string_string *m, const char *key);

/* NULL only before the first start has made the row. */
const struct pool_rec *find_pool(const struct view *v);
/* The driver row of an SR type, NULL = there is none. */
const struct sm_rec *find_driver(const struct view *v, const char *sr_type);
bool driver_has_feature(const struct sm_rec *sm, const char *feature);

/* Running or Paused: there is a domain to act on. */
bool vm_is_live(const struct vm_rec *vm);
/* How the running domain was started; before that, how it would be. enum domain_type. */
int vm_domain_type(const struct view *v, const struct vm_rec *vm);
/* A guest that is certain to run paravirtualised from its first instruction on. */
bool vm_booted_pv(const struct view *v, const struct vm_rec *vm);
/* dom0: the control domain in which the toolstack runs. */
bool vm_is_dom0(const struct vm_rec *vm);
