/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's clock, its zone, and who keeps it right. */
#include "api/common/lists.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
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

struct error *api_host_list_timezones(struct call *c, const struct host_list_timezones_args *a,
                                      struct set_string *ret)
{
    struct host_machine_timezones_result zones;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->self, &host));
    TRY(hostd_machine_timezones(c->daemon->hostd, &(struct host_machine_timezones_args){0},
                                c->arena, &zones));
    *ret = zones.names;
    return NULL;
}

struct error *api_host_set_timezone(struct call *c, const struct host_set_timezone_args *a)
{
    const struct host_machine_set_timezone_args args = {.name = a->value};
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    TRY(hostd_machine_set_timezone(c->daemon->hostd, &args, c->arena, NULL));
    h->timezone = a->value;
    return NULL;
}

struct error *api_host_set_servertime(struct call *c, const struct host_set_servertime_args *a)
{
    const struct host_machine_set_clock_args args = {.time = a->value};
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->self, &host));
    if (host->ntp_mode != HOST_NTP_MODE_DISABLED)
        return err_not_allowed_when_ntp_is_enabled(host->self);
    return hostd_machine_set_clock(c->daemon->hostd, &args, c->arena, NULL);
}

/* ---- servers of the time */

static struct error *use_servers(struct call *c, int mode, const struct set_string *servers)
{
    struct host_machine_set_ntp_args args = {.on = mode != HOST_NTP_MODE_DISABLED};

    if (mode == HOST_NTP_MODE_CUSTOM) {
        if (!servers->n)
            return err_invalid_ntp_config("no servers are named");
        args.servers = *servers;
    }
    return hostd_machine_set_ntp(c->daemon->hostd, &args, c->arena, NULL);
}

struct error *api_host_set_ntp_mode(struct call *c, const struct host_set_ntp_mode_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    TRY(use_servers(c, a->value, &h->ntp_custom_servers));
    h->ntp_mode = a->value;
    return NULL;
}

/* The machine hears of them when they are in use. */
struct error *api_host_set_ntp_custom_servers(struct call *c,
                                              const struct host_set_ntp_custom_servers_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    for (size_t i = 0; i < a->value.n; i++)
        if (!*a->value.v[i] || strpbrk(a->value.v[i], " \t\r\n"))
            return err_invalid_ntp_config("a server is no name or address");
    if (h->ntp_mode == HOST_NTP_MODE_CUSTOM)
        TRY(use_servers(c, h->ntp_mode, &a->value));
    h->ntp_custom_servers = a->value;
    return NULL;
}

static struct error *ask_ntp(struct call *c, const char *ref, struct host_machine_ntp_result *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    return hostd_machine_ntp(c->daemon->hostd, &(struct host_machine_ntp_args){0}, c->arena, ret);
}

struct error *api_host_get_ntp_synchronized(struct call *c,
                                            const struct host_get_ntp_synchronized_args *a,
                                            bool *ret)
{
    struct host_machine_ntp_result ntp;

    TRY(ask_ntp(c, a->self, &ntp));
    *ret = ntp.synchronized;
    return NULL;
}

struct error *api_host_get_ntp_servers_status(struct call *c,
                                              const struct host_get_ntp_servers_status_args *a,
                                              struct map_string_string *ret)
{
    struct host_machine_ntp_result ntp;

    TRY(ask_ntp(c, a->self, &ntp));
    const char *const pairs[] = {ntp.server, ntp.synchronized ? "Normal" : "Unreachable", NULL};
    static const char *const none[] = {NULL};

    *ret = map_of(c->arena, *ntp.server ? pairs : none);
    return NULL;
}
