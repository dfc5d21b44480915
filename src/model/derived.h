/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Derived fields: computed from other fields, never stored. The schema names, per field, what it
 * depends on as paths ("power_state", "VBDs.VDI.on_boot"); the generator writes them as the tables
 * below, and the store re-derives exactly the fields whose dependencies a commit changed.
 */

#include "base/arena.h"

#include <stdint.h>

struct view;

#define DEP_MAX_HOPS 4

/* One field on a path: of which class, and its index in that class's field table. */
struct dep_step {
    uint16_t class_id;
    int16_t field;
};

/*
 * From the owner over `n_hops` reference or inverse-set fields to the last field.
 * "VBDs.VDI.on_boot" of a VM: hops {VM.VBDs, VBD.VDI}, last {VDI.on_boot}. The generator adds the
 * prefixes of a path ("VBDs", "VBDs.VDI") as dependencies of their own, so that a changed hop
 * re-derives too.
 * A path without hops whose last step is of another class is global: a change of any row of that
 * class concerns every owner ("@pool.ha_enabled" of a VDI).
 */
struct dep_path {
    int n_hops;
    struct dep_step hops[DEP_MAX_HOPS];
    struct dep_step last;
    const char *key; /* last is a map and only this key of it matters; NULL = the whole value */
};

struct derived {
    int16_t field; /* index in the owner's field table */
    /* rec: struct <class>_rec; ret: where the field's value goes (its type's layout); memory from
     * a. */
    void (*derive)(const struct view *v, struct arena *a, const void *rec, void *ret);
    const struct dep_path *paths;
    int n_paths;
};
