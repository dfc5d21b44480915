/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/digest.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/class.h"
#include "value/json.h"

/* Open addressing by the address of the version, which is never freed and so never another's. */
struct slot {
    const struct version *v;
    struct digest digest;
};

static struct slot *slots;
static size_t n_used, n_slots;

static struct slot *slot_of(const struct version *v)
{
    uint64_t h = (uintptr_t)v * 0x9e3779b97f4a7c15u;

    for (size_t i = h >> 20;; i++) {
        struct slot *s = &slots[i & (n_slots - 1)];

        if (!s->v || s->v == v)
            return s;
    }
}

static void grow(void)
{
    struct slot *old = slots;
    size_t n = n_slots;

    n_slots = n ? n * 2 : 4096;
    slots = xnew_array(struct slot, n_slots);
    for (size_t i = 0; i < n; i++)
        if (old[i].v)
            *slot_of(old[i].v) = old[i];
    free(old);
}

static struct digest compute(const struct version *v)
{
    const struct struct_info *si = classes[version_class(v)].info;
    _cleanup_str_ struct str own = STR_INIT;
    _cleanup_str_ struct str rel = STR_INIT;

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        json_add_value(f->flags & (FIELD_INVERSE | FIELD_DERIVED) ? &rel : &own, f->type,
                       field_at(f, v->rec));
    }
    return (struct digest){.own = hash_mem(str_cstr(&own), own.len),
                           .rel = hash_mem(str_cstr(&rel), rel.len)};
}

struct digest digest_of(struct version *v)
{
    if (n_used * 2 >= n_slots)
        grow();
    struct slot *s = slot_of(v);

    if (!s->v) {
        n_used++;
        s->v = version_ref(v);
        s->digest = compute(v);
    }
    return s->digest;
}
