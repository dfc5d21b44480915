/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SSH server of hosts: on, off, on for a while; and how long an idle console stays. */
#include "api/chores.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

/* Source: XenAPI servers take at most two days. */
#define SSH_TIMEOUT_MAX 172800

static struct error *check_seconds(struct call *c, const char *field, int64_t value, int64_t max)
{
    if (value >= 0 && value <= max)
        return NULL;
    return err_invalid_value(field, arena_printf(c->arena, "%lld", (long long)value));
}

static void set_expiry(struct host_rec *h)
{
    h->ssh_expiry = h->ssh_enabled && h->ssh_enabled_timeout ? now_s() + h->ssh_enabled_timeout : 0;
}

/* Turned before the row says so: a row that lies would be worse than one that is late. */
static struct error *turn(struct call *c, const char *ref, bool on)
{
    const struct host_machine_set_ssh_args args = {.on = on};
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    _cleanup_error_ struct error *e =
        hostd_machine_set_ssh(c->daemon->hostd, &args, c->arena, NULL);

    if (e)
        return on ? err_enable_ssh_failed(ref) : err_disable_ssh_failed(ref);
    h->ssh_enabled = on;
    set_expiry(h);
    return NULL;
}

struct error *api_host_enable_ssh(struct call *c, const struct host_enable_ssh_args *a)
{
    return turn(c, a->self, true);
}

struct error *api_host_disable_ssh(struct call *c, const struct host_disable_ssh_args *a)
{
    return turn(c, a->self, false);
}

static struct error *set_timeout(struct call *c, const char *ref, int64_t value)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    TRY(check_seconds(c, "ssh_enabled_timeout", value, SSH_TIMEOUT_MAX));
    h->ssh_enabled_timeout = value;
    set_expiry(h);
    return NULL;
}

struct error *api_host_set_ssh_enabled_timeout(struct call *c,
                                               const struct host_set_ssh_enabled_timeout_args *a)
{
    return set_timeout(c, a->self, a->value);
}

static struct error *set_idle(struct call *c, const char *ref, int64_t value)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    TRY(check_seconds(c, "console_idle_timeout", value, INT64_MAX));
    h->console_idle_timeout = value;
    return NULL;
}

struct error *api_host_set_console_idle_timeout(struct call *c,
                                                const struct host_set_console_idle_timeout_args *a)
{
    return set_idle(c, a->self, a->value);
}

/* On while the daemon is down: nobody would be there to turn it on. */
static struct error *set_auto(struct call *c, const char *ref, bool value)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, ref, &h));
    if (value)
        return err_value_not_supported("ssh_auto_mode", "true",
                                       "nothing watches over the daemon to turn SSH on");
    h->ssh_auto_mode = false;
    return NULL;
}

struct error *api_host_set_ssh_auto_mode(struct call *c,
                                         const struct host_set_ssh_auto_mode_args *a)
{
    return set_auto(c, a->self, a->value);
}

/* ---- all hosts of the pool, which is this one */

static struct error *pool_turn(struct call *c, const char *self, bool on)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, self, &pool));
    _cleanup_error_ struct error *e = turn(c, pool->master, on);

    if (!e)
        return NULL;
    return on ? err_enable_ssh_partially_failed(pool->master)
              : err_disable_ssh_partially_failed(pool->master);
}

struct error *api_pool_enable_ssh(struct call *c, const struct pool_enable_ssh_args *a)
{
    return pool_turn(c, a->self, true);
}

struct error *api_pool_disable_ssh(struct call *c, const struct pool_disable_ssh_args *a)
{
    return pool_turn(c, a->self, false);
}

struct error *api_pool_set_ssh_enabled_timeout(struct call *c,
                                               const struct pool_set_ssh_enabled_timeout_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    return set_timeout(c, pool->master, a->value);
}

struct error *api_pool_set_console_idle_timeout(struct call *c,
                                                const struct pool_set_console_idle_timeout_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    return set_idle(c, pool->master, a->value);
}

struct error *api_pool_set_ssh_auto_mode(struct call *c,
                                         const struct pool_set_ssh_auto_mode_args *a)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    return set_auto(c, pool->master, a->value);
}

/* ---- its time is up */

struct error *api_ssh_expires(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "SSH expires"};
    const struct host_machine_set_ssh_args args = {.on = false};
    const struct host_rec *host;
    struct host_rec *h;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);

    TRY(txn_host(t, d->host_ref, &host));
    if (!host->ssh_enabled || !host->ssh_expiry || host->ssh_expiry > now_s())
        return NULL;
    TRY(hostd_machine_set_ssh(d->hostd, &args, &a, NULL));
    TRY(txn_edit_host(t, host->self, &h));
    h->ssh_enabled = false;
    h->ssh_expiry = 0;
    return txn_commit(t, &info);
}
