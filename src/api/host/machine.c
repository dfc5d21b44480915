/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client may change on the machine itself: name, clock, log, power. hostd decides whether.
 */
#include "api/common/lists.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "task/waiting.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct error *api_host_set_hostname_live(struct call *c,
                                         const struct host_set_hostname_live_args *a)
{
    const struct host_machine_set_hostname_args args = {.name = a->hostname};
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->host, &h));
    TRY(hostd_machine_set_hostname(c->daemon->hostd, &args, c->arena, NULL));
    h->hostname = a->hostname;
    return NULL;
}

/* ---- power */

static struct error *power(struct call *c, const char *ref, const char *action)
{
    const struct host_machine_power_args args = {.action = action};
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    if (host->enabled)
        return err_host_not_disabled();
    return hostd_machine_power(c->daemon->hostd, &args, c->arena, NULL);
}

struct error *api_host_shutdown(struct call *c, const struct host_shutdown_args *a)
{
    return power(c, a->host, "poweroff");
}

struct error *api_host_reboot(struct call *c, const struct host_reboot_args *a)
{
    return power(c, a->host, "reboot");
}

/* ---- the daemon itself */

/* The caller shall have its answer first. */
#define AGENT_DELAY_US SECOND_US

struct ending {
    struct waiter waiter;
    atomic_bool begun;
    int signal;
};

static void leave(struct waiter *w)
{
    atomic_store(&container_of(w, struct ending, waiter)->begun, false);
}

static void send_signal(struct waiter *w, bool timed_out)
{
    const struct ending *e = container_of(w, struct ending, waiter);

    tgkill(getpid(), getpid(), e->signal); /* to the first thread, which waits for it */
    leave(w);
}

static struct error *signal_soon(struct call *c, struct ending *e)
{
    if (atomic_exchange(&e->begun, true))
        return NULL;
    e->waiter = (struct waiter){
        .deadline_us = mono_us() + AGENT_DELAY_US, .wake = send_signal, .leave = leave};
    if (!waiting_add(c->daemon->waiting, &e->waiter, waiting_seq(c->daemon->waiting)))
        leave(&e->waiter); /* it ends already */
    return NULL;
}

/* This program hands its connections, this one among them, to a fresh one. */
struct error *api_host_restart_agent(struct call *c, const struct host_restart_agent_args *a)
{
    static struct ending restarting = {.signal = SIGHUP};
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    return signal_soon(c, &restarting);
}

/* It ends once calls under way have been answered; whoever started it may start it again. */
struct error *api_host_shutdown_agent(struct call *c, const struct host_shutdown_agent_args *a)
{
    static struct ending ending = {.signal = SIGTERM};

    return signal_soon(c, &ending);
}

/* ---- logs */

struct error *api_host_dmesg_clear(struct call *c, const struct host_dmesg_clear_args *a,
                                   const char **ret)
{
    struct host_host_dmesg_result result;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(hostd_host_dmesg(c->daemon->hostd, &(struct host_host_dmesg_args){0}, c->arena, &result));
    TRY(hostd_machine_clear_dmesg(c->daemon->hostd, &(struct host_machine_clear_dmesg_args){0},
                                  c->arena, NULL));
    *ret = result.text;
    return NULL;
}

struct error *api_host_get_log(struct call *c, const struct host_get_log_args *a, const char **ret)
{
    struct host_machine_log_result result;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(hostd_machine_log(c->daemon->hostd, &(struct host_machine_log_args){0}, c->arena, &result));
    *ret = result.text;
    return NULL;
}

struct error *api_host_syslog_reconfigure(struct call *c,
                                          const struct host_syslog_reconfigure_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const char *to = map_find(&host->logging, "syslog_destination");
    const struct host_machine_set_syslog_args args = {.destination = to ? to : ""};

    return hostd_machine_set_syslog(c->daemon->hostd, &args, c->arena, NULL);
}
