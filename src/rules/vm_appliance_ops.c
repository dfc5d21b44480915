/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is an operation allowed on this appliance? One at a time. */
#include "rules/ops.h"

#include "gen/class/VM_appliance.h"
#include "gen/derive.h"
#include "rules/op_set.h"

#define ALL_OPS (OP(VM_APPLIANCE_OPERATION_MAX) - 1)

struct error *vm_appliance_op_check(const struct vm_appliance_rec *appliance)
{
    if (!appliance->current_operations.n)
        return NULL;
    return err_busy("VM_appliance", appliance->self, &appliance->current_operations, ALL_OPS,
                    &vm_appliance_operation_info);
}

void derive_vm_appliance_allowed_operations(const struct view *v, struct arena *a,
                                            const struct vm_appliance_rec *rec,
                                            struct set_enum *ret)
{
    ops_to_set(a, rec->current_operations.n ? 0 : ALL_OPS, ret);
}
