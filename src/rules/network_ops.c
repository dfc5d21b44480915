/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this network? */
#include "rules/ops.h"

#include "gen/class/network.h"
#include "gen/derive.h"
#include "rules/op_set.h"

/* Cards attach to a network side by side; nothing a network does excludes it. */
bool network_op_allowed(const struct view *v, const struct network_rec *network,
                        enum network_operations op, bool strict, struct error **ret_why)
{
    return true;
}

/* "attaching" marks a VIF on its way and is no operation a client could ask for: it is never
 * listed. */
void derive_network_allowed_operations(const struct view *v, struct arena *a,
                                       const struct network_rec *rec, struct set_enum *ret)
{
    ops_to_set(a, 0, ret);
}
