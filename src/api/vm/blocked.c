/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VM.blocked_operations: what an administrator forbids, with the reason shown to who tries. */
#include "gen/class/VM_txn.h"
#include "gen/msg/VM.h"
#include "rpc/call.h"

static bool has(const struct map_enum_string *m, int op)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->k[i] == op)
            return true;
    return false;
}

/* A copy without op and with room for one more. */
static void copy_without(struct arena *a, struct map_enum_string *m, int op, int **ret_k,
                         const char ***ret_v)
{
    int *k = arena_array(a, int, m->n + 1);
    const char **v = arena_array(a, const char *, m->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->k[i] == op)
            continue;
        k[n] = m->k[i];
        v[n++] = m->v[i];
    }
    *m = (struct map_enum_string){.n = n, .k = k, .v = v};
    *ret_k = k;
    *ret_v = v;
}

struct error *api_vm_set_blocked_operations(struct call *c,
                                            const struct vm_set_blocked_operations_args *a)
{
    struct vm_rec *vm;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    vm->blocked_operations = a->value;
    return NULL;
}

struct error *api_vm_add_to_blocked_operations(struct call *c,
                                               const struct vm_add_to_blocked_operations_args *a)
{
    struct vm_rec *vm;
    const char **v;
    int *k;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    struct map_enum_string *m = &vm->blocked_operations;

    if (has(m, a->key))
        return err_map_duplicate_key("VM", "blocked_operations", a->self,
                                     vm_operations_info.names[a->key]);
    copy_without(c->arena, m, a->key, &k, &v);
    k[m->n] = a->key;
    v[m->n++] = a->value;
    return NULL;
}

struct error *api_vm_remove_from_blocked_operations(
    struct call *c, const struct vm_remove_from_blocked_operations_args *a)
{
    struct vm_rec *vm;
    const char **v;
    int *k;

    TRY(txn_edit_vm(c->txn, a->self, &vm));
    if (has(&vm->blocked_operations, a->key))
        copy_without(c->arena, &vm->blocked_operations, a->key, &k, &v);
    return NULL;
}
