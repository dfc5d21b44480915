/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gen/classes.h"

#include "base/mem.h"

enum class_id class_find(const char *name)
{
    for (int i = 1; i < CLASS_MAX; i++)
        if (streq(classes[i].name, name))
            return i;
    return CLASS_NONE;
}

enum class_id class_find_lower(const char *name)
{
    for (int i = 1; i < CLASS_MAX; i++)
        if (!strcasecmp(classes[i].lower, name))
            return i;
    return CLASS_NONE;
}
