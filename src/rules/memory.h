/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How much memory a VM may be given and how much it costs a host. Bytes unless a name says MiB.
 * Pure functions.
 */

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct memory_limits {
    int64_t static_min;
    int64_t dynamic_min;
    int64_t dynamic_max;
    int64_t static_max;
};

/* 0 <= static_min <= dynamic_min <= dynamic_max <= static_max, or
 * MEMORY_CONSTRAINT_VIOLATION_ORDER. */
_must_check_ struct error *memory_check_order(const struct memory_limits *m);
/*
 * A VM that cannot balloon has all its memory always: both dynamic limits equal static_max, or
 * MEMORY_CONSTRAINT_VIOLATION_MAXPIN [reason]. reason: why it cannot, "dmc disabled".
 */
_must_check_ struct error *memory_check_pinned(const struct memory_limits *m, const char *reason);

/* What the overhead depends on. domain_type: enum domain_type. */
struct memory_shape {
    int domain_type;
    int64_t vcpus; /* VCPUs_max */
    int64_t static_max;
    double shadow_multiplier;
};

/* Page tables kept for the guest by the hypervisor. */
int64_t memory_shadow(const struct memory_shape *s);
/* Everything a running VM takes beyond its own memory. */
int64_t memory_overhead(const struct memory_shape *s);
/* What a host must have free to start it with `target` bytes (usually dynamic_min). */
int64_t memory_to_start(const struct memory_shape *s, int64_t target);
/* The largest static_max, in whole MiB, that fits a host with `total` bytes; 0 if nothing does.
 * s->static_max is ignored. */
int64_t memory_largest(const struct memory_shape *s, int64_t total);

/* 0 < at_startup <= max, or INVALID_VALUE [field, value]. */
_must_check_ struct error *vcpus_check(int64_t at_startup, int64_t max);
/* HVM_shadow_multiplier: at least 1, or INVALID_VALUE. */
_must_check_ struct error *shadow_multiplier_check(double multiplier);
