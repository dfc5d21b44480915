/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Consoles are made when their VM starts and go when it stops. A client may enter rows of its own,
 * which lead to no VM, and remove those; the ones of a VM that runs stay.
 */
#include "gen/msg/console.h"
#include "gen/class/VM_txn.h"
#include "gen/class/console_txn.h"
#include "rpc/call.h"

struct error *api_console_create(struct call *c, const struct console_create_args *a,
                                 const char **ret)
{
    struct console_rec *console = txn_new_console(c->txn);

    console->other_config = a->args.other_config;
    *ret = console->self;
    return NULL;
}

struct error *api_console_destroy(struct call *c, const struct console_destroy_args *a)
{
    const struct console_rec *console;

    TRY(txn_console(c->txn, a->self, &console));
    if (txn_find_vm(c->txn, console->VM))
        return err_operation_not_allowed(
            "A console exists while its VM runs and cannot be removed");
    return txn_delete_console(c->txn, console->self);
}
