/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/common/rows.h"

#include "base/mem.h"
#include "value/value.h"

void row_copy_fields(enum class_id class_id, void *to, const void *from)
{
    const struct struct_info *si = classes[class_id].info;

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (!(f->flags & (FIELD_INVERSE | FIELD_DERIVED)) && !streq(f->name, "uuid") &&
            !streq(f->name, "current_operations"))
            memcpy(field_at_mut(f, to), field_at(f, from), f->type->size);
    }
}
