/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consoles are made when their VM starts and go when it stops; clients cannot make or remove them.
 */
#include "gen/msg/console.h"
#include "gen/class/VM_txn.h"
#include "gen/class/console_txn.h"
#include "rpc/call.h"

struct error *api_console_create(struct call *c, const struct console_create_args *a,
                                 const char **ret)
{
    return err_operation_not_allowed("A console exists while its VM runs and cannot be made");
}

struct error *api_console_destroy(struct call *c, const struct console_destroy_args *a)
{
    const struct console_rec *console;

    TRY(txn_console(c->txn, a->self, &console));
    return err_operation_not_allowed("A console exists while its VM runs and cannot be removed");
}
