/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the API says of VM operations in general, as data: in which power states each is legal,
 * which may run together, which templates, snapshots and control domains accept. vm_ops.c applies
 * it to a given VM.
 */

#include "gen/enums.h"
#include "rules/op_set.h"

#define VM_STATE(s) (1u << VM_POWER_STATE_##s)
#define VM_OP(op)   OP(VM_OPERATIONS_##op)

/* Masks of VM_STATE; what holds for every VM. */
extern const unsigned char vm_op_states[VM_OPERATIONS_MAX];
/* Further states of control domains / of snapshots and where the pool allows it. */
extern const unsigned char vm_op_states_control[VM_OPERATIONS_MAX];
extern const unsigned char vm_op_states_snapshot[VM_OPERATIONS_MAX];

/* May op start while all of `current` run? */
bool vm_ops_concurrent(op_mask current, enum vm_operations op);

/* What a template that is not a snapshot accepts; DESTROY and MIGRATE_SEND only if it is not one
 * of the default templates. */
#define VM_TEMPLATE_OPS                                                                            \
    (VM_OP(CHANGING_DYNAMIC_RANGE) | VM_OP(CHANGING_STATIC_RANGE) |                                \
     VM_OP(CHANGING_MEMORY_LIMITS) | VM_OP(CHANGING_SHADOW_MEMORY) | VM_OP(CHANGING_VCPUS) |       \
     VM_OP(CHANGING_NVRAM) | VM_OP(CLONE) | VM_OP(COPY) | VM_OP(EXPORT) | VM_OP(METADATA_EXPORT) | \
     VM_OP(PROVISION))
#define VM_OWN_TEMPLATE_OPS (VM_OP(DESTROY) | VM_OP(MIGRATE_SEND))

#define VM_SNAPSHOT_OPS                                                                            \
    (VM_OP(REVERT) | VM_OP(CLONE) | VM_OP(COPY) | VM_OP(EXPORT) | VM_OP(DESTROY) |                 \
     VM_OP(HARD_SHUTDOWN) | VM_OP(METADATA_EXPORT))

/* Its memory and processors may be set, its facts read; its life is the host's. */
#define VM_CONTROL_DOMAIN_OPS                                                                      \
    (VM_OP(CHANGING_DYNAMIC_RANGE) | VM_OP(CHANGING_STATIC_RANGE) |                                \
     VM_OP(CHANGING_MEMORY_LIMITS) | VM_OP(CHANGING_MEMORY_LIVE) | VM_OP(AWAITING_MEMORY_LIVE) |   \
     VM_OP(CHANGING_VCPUS) | VM_OP(DATA_SOURCE_OP) | VM_OP(GET_BOOT_RECORD) |                      \
     VM_OP(METADATA_EXPORT) | VM_OP(QUERY_SERVICES) | VM_OP(POWER_STATE_RESET) |                   \
     VM_OP(ASSERT_OPERATION_VALID) | VM_OP(UPDATE_ALLOWED_OPERATIONS))
/* Of those, not for dom0 itself. */
#define VM_NOT_DOM0_OPS (VM_OP(CHANGING_VCPUS) | VM_OP(DESTROY))

/* While the hosts of a pool are at different versions: the life of guests, nothing new. */
#define VM_UPGRADE_OPS                                                                             \
    (VM_OP(START) | VM_OP(START_ON) | VM_OP(PAUSE) | VM_OP(UNPAUSE) | VM_OP(CLEAN_SHUTDOWN) |      \
     VM_OP(CLEAN_REBOOT) | VM_OP(HARD_SHUTDOWN) | VM_OP(HARD_REBOOT) | VM_OP(SHUTDOWN) |           \
     VM_OP(POWER_STATE_RESET) | VM_OP(SUSPEND) | VM_OP(RESUME) | VM_OP(RESUME_ON) |                \
     VM_OP(POOL_MIGRATE) | VM_OP(MIGRATE_SEND) | VM_OP(GET_BOOT_RECORD) | VM_OP(SEND_SYSRQ) |      \
     VM_OP(SEND_TRIGGER) | VM_OP(QUERY_SERVICES) | VM_OP(CALL_PLUGIN) | VM_OP(DATA_SOURCE_OP) |    \
     VM_OP(CHANGING_MEMORY_LIVE) | VM_OP(AWAITING_MEMORY_LIVE) | VM_OP(ASSERT_OPERATION_VALID) |   \
     VM_OP(UPDATE_ALLOWED_OPERATIONS))

/* Never in allowed_operations: internal, or not an operation of the VM's own life. */
#define VM_UNLISTED_OPS                                                                            \
    (VM_OP(CREATE_TEMPLATE) | VM_OP(POWER_STATE_RESET) | VM_OP(CSVM) | VM_OP(GET_BOOT_RECORD) |    \
     VM_OP(SEND_SYSRQ) | VM_OP(SEND_TRIGGER) | VM_OP(QUERY_SERVICES) | VM_OP(SHUTDOWN) |           \
     VM_OP(CALL_PLUGIN) | VM_OP(CHANGING_MEMORY_LIVE) | VM_OP(AWAITING_MEMORY_LIVE) |              \
     VM_OP(CHANGING_MEMORY_LIMITS) | VM_OP(CHANGING_SHADOW_MEMORY_LIVE) | VM_OP(CHANGING_VCPUS) |  \
     VM_OP(ASSERT_OPERATION_VALID) | VM_OP(DATA_SOURCE_OP) | VM_OP(UPDATE_ALLOWED_OPERATIONS) |    \
     VM_OP(IMPORT) | VM_OP(REVERTING))
