/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and costs of guest memory. */
#include "rules/memory.h"

#include "base/mem.h"
#include "gen/enums.h"
#include "gen/errors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MIB       (INT64_C(1) << 20)
#define PAGES_MIB 256 /* pages of 4 KiB in a MiB */

/* Per virtual processor, in pages, what the hypervisor keeps outside the shadow pool. */
#define VCPU_PAGES 38

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

struct error *memory_check_order(const struct memory_limits *m)
{
    if (m->static_min < 0 || m->static_min > m->dynamic_min || m->dynamic_min > m->dynamic_max ||
        m->dynamic_max > m->static_max)
        return err_memory_constraint_violation_order();
    return NULL;
}

struct error *memory_check_pinned(const struct memory_limits *m, const char *reason)
{
    if (m->dynamic_min != m->static_max || m->dynamic_max != m->static_max)
        return err_memory_constraint_violation_maxpin(reason);
    return NULL;
}

static int64_t shadow_mib(const struct memory_shape *s)
{
    int64_t pages = PAGES_MIB * s->vcpus + 2 * ceil_div(s->static_max, MIB);
    int64_t mib = ceil_div(pages, PAGES_MIB);

    if (mib < 1)
        mib = 1;
    return (int64_t)ceil((double)mib * s->shadow_multiplier);
}

int64_t memory_shadow(const struct memory_shape *s)
{
    return shadow_mib(s) * MIB;
}

int64_t memory_overhead(const struct memory_shape *s)
{
    bool shim = s->domain_type == DOMAIN_TYPE_PV_IN_PVH;
    int64_t internal = s->domain_type == DOMAIN_TYPE_PV ? 0 : 1;
    int64_t mib = internal + 1 + shadow_mib(s) + ceil_div(VCPU_PAGES * s->vcpus, PAGES_MIB);

    /* A PV guest in a PVH container brings a small hypervisor of its own. */
    if (shim)
        mib += 23 + ceil_div(s->static_max, MIB) / 90;
    return mib * MIB;
}

int64_t memory_to_start(const struct memory_shape *s, int64_t target)
{
    return ceil_div(target, MIB) * MIB + memory_overhead(s);
}

int64_t memory_largest(const struct memory_shape *s, int64_t total)
{
    int64_t low = 0, high = total / MIB; /* low fits or is 0 */

    while (low < high) {
        struct memory_shape half = *s;

        half.static_max = (low + (high - low + 1) / 2) * MIB;
        if (memory_to_start(&half, half.static_max) <= total)
            low = half.static_max / MIB;
        else
            high = half.static_max / MIB - 1;
    }
    return low * MIB;
}

struct error *vcpus_check(int64_t at_startup, int64_t max)
{
    char text[32];
    bool bad_start = at_startup <= 0 || (max > 0 && at_startup > max);

    if (max > 0 && !bad_start)
        return NULL;
    snprintf(text, sizeof(text), "%" PRId64, bad_start ? at_startup : max);
    return err_invalid_value(bad_start ? "VCPUs_at_startup" : "VCPUs_max", text);
}

struct error *shadow_multiplier_check(double multiplier)
{
    char text[32];

    if (multiplier >= 1.0 && isfinite(multiplier))
        return NULL;
    snprintf(text, sizeof(text), "%.6g", multiplier);
    return err_invalid_value("HVM_shadow_multiplier", text);
}
