/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secure boot of UEFI guests: their variables, and in which mode the firmware is. */
#include "api/common/host_error.h"
#include "api/common/lists.h"
#include "gen/class/VM_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rules/ops.h"

#define VARIABLES "EFI-variables"

static bool is_uefi(const struct vm_rec *vm)
{
    const char *firmware = map_find(&vm->HVM_boot_params, "firmware");

    return firmware && streq(firmware, "uefi");
}

struct error *api_vm_get_secureboot_readiness(struct call *c,
                                              const struct vm_get_secureboot_readiness_args *a,
                                              int *ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, a->self, &vm));
    if (!is_uefi(vm))
        *ret = VM_SECUREBOOT_READINESS_NOT_SUPPORTED;
    else if (!map_is_true(&vm->platform, "secureboot"))
        *ret = VM_SECUREBOOT_READINESS_DISABLED;
    else if (!map_find(&vm->NVRAM, VARIABLES))
        *ret = VM_SECUREBOOT_READINESS_FIRST_BOOT;
    else
        *ret = VM_SECUREBOOT_READINESS_SETUP_MODE; /* no keys are enrolled by anybody here */
    return NULL;
}

/* Firmware without variables has no keys, which is what setup mode means. Forgetting them is
 * harmless when done twice. */
static struct error *forget_variables(struct call *c, struct vm_rec *vm)
{
    const struct host_vm_forget_args args = {.uuid = vm->uuid};

    map_remove(c->arena, &vm->NVRAM, VARIABLES);
    return from_host(c->daemon->store, hostd_vm_forget(c->daemon->hostd, &args, c->arena, NULL));
}

struct error *api_vm_set_uefi_mode(struct call *c, const struct vm_set_uefi_mode_args *a,
                                   const char **ret)
{
    struct vm_rec *vm;

    *ret = "";
    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHANGING_NVRAM));
    if (!is_uefi(vm))
        return err_operation_not_allowed("The VM has no UEFI firmware");
    if (a->mode == VM_UEFI_MODE_SETUP)
        return forget_variables(c, vm);
    return err_operation_not_allowed("There are no UEFI certificates to enroll");
}

struct error *api_vm_update_secureboot_certificates_on_boot(
    struct call *c, const struct vm_update_secureboot_certificates_on_boot_args *a)
{
    int from = a->mark ? VM_SECUREBOOT_CERTIFICATES_STATE_UPDATE_AVAILABLE
                       : VM_SECUREBOOT_CERTIFICATES_STATE_UPDATE_ON_BOOT;
    int to = a->mark ? VM_SECUREBOOT_CERTIFICATES_STATE_UPDATE_ON_BOOT
                     : VM_SECUREBOOT_CERTIFICATES_STATE_UPDATE_AVAILABLE;
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (vm->secureboot_certificates_state == to)
        return NULL;
    if (vm->secureboot_certificates_state != from)
        return err_operation_not_allowed("There are no newer certificates for the VM");
    vm->secureboot_certificates_state = to;
    return NULL;
}
