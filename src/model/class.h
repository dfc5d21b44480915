/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the generator says of each class of the data model. `classes[]` (gen/classes.h) is indexed
 * by enum class_id.
 */

#include "model/derived.h"
#include "value/type.h"

struct class_info {
    const char *name;  /* "VM_guest_metrics" */
    const char *lower; /* as events and xe spell it: "vm_guest_metrics" */
    const struct struct_info *info;
    const struct struct_info *ctor; /* what the generated create takes; NULL if there is none */
    size_t
        inv_offset; /* where struct <class>_inv begins in the record; = info->size if it has none */
    const struct derived *derived;
    int n_derived;
    int field_uuid;       /* index of "uuid", -1 = none */
    int field_name_label; /* index of "name_label" if get_by_name_label exists, else -1 */
    bool in_database;     /* has the implicit messages (get_record ...) */
    bool stored;          /* may have rows: in_database, or rows of our own (message) */
    bool emits_events;
    bool soft; /* the whole class is kept in memory only */
    bool has_get_all;
    bool removed; /* its messages answer MESSAGE_REMOVED */
};

enum class_id class_find(const char *name);       /* exact name, CLASS_NONE = unknown */
enum class_id class_find_lower(const char *name); /* any case, as event filters spell it */
