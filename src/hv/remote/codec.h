/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The structs of hv.h as JSON: for the protocol between hostd and a driver's worker, and for the
 * records of drivers. A struct is described by a *shape*; one encoder and one decoder serve all.
 * Descriptors and block nodes (hv_disk.blockdevs) are left out: descriptors decode as -1.
 *
 * Pure; any thread.
 */

#include "base/arena.h"
#include "hv/hv.h"
#include "value/json.h"

struct shape;

extern const struct shape hv_disk_shape, hv_nic_shape, hv_start_shape, hv_started_shape,
    hv_domain_shape, hv_stats_shape, hv_caps_shape, hv_host_shape, hv_event_shape, hv_pair_shape;

/* A text of whatever bytes; NULL is "". */
_malloc_ json_t *hv_text_to_json(const char *s);
_malloc_ json_t *hv_to_json(const struct shape *s, const void *p);
/* Memory from the arena. An error for a member that is absent, of another type or out of range. */
_must_check_ struct error *hv_from_json(struct arena *a, const struct shape *s, const json_t *j,
                                        void *ret);
_malloc_ json_t *hv_list_to_json(const struct shape *s, const void *items, size_t n);
_must_check_ struct error *hv_list_from_json(struct arena *a, const struct shape *s,
                                             const json_t *j, void **ret, size_t *ret_n);
