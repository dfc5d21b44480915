/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dumps of crashed hosts and VMs. This product makes none; rows can only come from a store of
 * before. */
#include "gen/msg/crashdump.h"
#include "gen/class/crashdump_txn.h"
#include "gen/class/host_crashdump_txn.h"
#include "gen/msg/host_crashdump.h"
#include "rpc/call.h"

struct error *api_crashdump_destroy(struct call *c, const struct crashdump_destroy_args *a)
{
    return txn_delete_crashdump(c->txn, a->self);
}

struct error *api_host_crashdump_destroy(struct call *c,
                                         const struct host_crashdump_destroy_args *a)
{
    return txn_delete_host_crashdump(c->txn, a->self);
}
