/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps of VM that are not simply the client's: keys that need another role (other_config,
 * platform), keys with rules (platform), maps that only change while the VM is off (NVRAM).
 */
#include "api/common/lists.h"
#include "api/vm/params.h"
#include "gen/class/VM_txn.h"
#include "gen/messages.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"
#include "rpc/rpc.h"
#include "rules/ops.h"

#include <strings.h>

static struct error *add(struct call *c, const char *ref, const char *field,
                         struct map_string_string *m, const char *key, const char *value)
{
    if (map_find(m, key))
        return err_map_duplicate_key("VM", field, ref, key);
    map_set(c->arena, m, key, value);
    return NULL;
}

static const struct key_role *role_of_key(const struct message *m, const char *key)
{
    for (const struct key_role *k = m->key_roles; k && k->key; k++)
        if (k->prefix ? !strncasecmp(key, k->key, strlen(k->key)) : !strcasecmp(key, k->key))
            return k;
    return NULL;
}

/* Setting a whole map must not be a way around the roles of its keys: every key of `a` that `b`
 * lacks or has with another value is judged as if it were set alone. */
static struct error *check_keys(struct call *c, const char *adder,
                                const struct map_string_string *a,
                                const struct map_string_string *b)
{
    const struct message *m = message_find(adder, strlen(adder));

    if (c->superuser || !m)
        return NULL;
    for (size_t i = 0; i < a->n; i++) {
        const struct key_role *k = role_of_key(m, a->k[i]);
        const char *other = map_find(b, a->k[i]);

        if (k && !(other && streq(other, a->v[i])) && !(c->roles & k->roles))
            return rpc_denied(k->permission, k->roles);
    }
    return NULL;
}

struct error *api_vm_add_to_other_config(struct call *c,
                                         const struct vm_add_to_other_config_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    return add(c, a->self, "other_config", &vm->other_config, a->key, a->value);
}

struct error *api_vm_remove_from_other_config(struct call *c,
                                              const struct vm_remove_from_other_config_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    map_remove(c->arena, &vm->other_config, a->key);
    return NULL;
}

struct error *api_vm_set_other_config(struct call *c, const struct vm_set_other_config_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(check_keys(c, "VM.add_to_other_config", &a->value, &vm->other_config));
    TRY(check_keys(c, "VM.remove_from_other_config", &vm->other_config, &a->value));
    vm->other_config = a->value;
    return NULL;
}

struct error *api_vm_add_to_platform(struct call *c, const struct vm_add_to_platform_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(platform_key_check(a->key, a->value));
    return add(c, a->self, "platform", &vm->platform, a->key, a->value);
}

struct error *api_vm_remove_from_platform(struct call *c,
                                          const struct vm_remove_from_platform_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    map_remove(c->arena, &vm->platform, a->key);
    return NULL;
}

struct error *api_vm_set_platform(struct call *c, const struct vm_set_platform_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    TRY(check_keys(c, "VM.add_to_platform", &a->value, &vm->platform));
    TRY(check_keys(c, "VM.remove_from_platform", &vm->platform, &a->value));
    for (size_t i = 0; i < a->value.n; i++)
        TRY(platform_key_check(a->value.k[i], a->value.v[i]));
    vm->platform = a->value;
    return NULL;
}

static struct error *edit_nvram(struct call *c, const char *ref, struct vm_rec **ret)
{
    const struct vm_rec *vm;

    TRY(txn_vm(c->txn, ref, &vm));
    TRY(vm_op_check(txn_view(c->txn), vm, VM_OPERATIONS_CHANGING_NVRAM));
    return txn_edit_vm(c->txn, ref, ret);
}

struct error *api_vm_set_nvram(struct call *c, const struct vm_set_nvram_args *a)
{
    struct vm_rec *vm;

    TRY(edit_nvram(c, a->self, &vm));
    vm->NVRAM = a->value;
    return NULL;
}

struct error *api_vm_add_to_nvram(struct call *c, const struct vm_add_to_nvram_args *a)
{
    struct vm_rec *vm;

    TRY(edit_nvram(c, a->self, &vm));
    return add(c, a->self, "NVRAM", &vm->NVRAM, a->key, a->value);
}

struct error *api_vm_remove_from_nvram(struct call *c, const struct vm_remove_from_nvram_args *a)
{
    struct vm_rec *vm;

    TRY(edit_nvram(c, a->self, &vm));
    map_remove(c->arena, &vm->NVRAM, a->key);
    return NULL;
}

/* From the program that keeps the variables of a running guest, at any time. */
struct error *api_vm_set_nvram_efi_variables(struct call *c,
                                             const struct vm_set_nvram_efi_variables_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    map_set(c->arena, &vm->NVRAM, "EFI-variables", a->value);
    return NULL;
}
