/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's clock. */
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

#include <time.h>

struct error *api_host_get_servertime(struct call *c, const struct host_get_servertime_args *a,
                                      int64_t *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    *ret = now_s();
    return NULL;
}

/* The digits of the local clock, although a datetime says UTC: what clients have always shown. */
struct error *api_host_get_server_localtime(struct call *c,
                                            const struct host_get_server_localtime_args *a,
                                            int64_t *ret)
{
    const struct host_rec *host;
    time_t now = (time_t)now_s();
    struct tm local;

    TRY(txn_host(c->txn, a->host, &host));
    localtime_r(&now, &local);
    *ret = now + local.tm_gmtoff;
    return NULL;
}
