/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the daemon itself is doing. */
#include "gen/msg/Diagnostics.h"
#include "base/workers.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "task/engine.h"
#include "wire/server.h"

#include <malloc.h>

struct figure {
    const char *name;
    uint64_t value;
};

static void figures(struct arena *a, const struct figure *f, size_t n,
                    struct map_string_string *ret)
{
    const char **k = arena_array(a, const char *, n);
    const char **v = arena_array(a, const char *, n);

    for (size_t i = 0; i < n; i++) {
        k[i] = f[i].name;
        v[i] = arena_printf(a, "%llu", (unsigned long long)f[i].value);
    }
    *ret = (struct map_string_string){.n = n, .k = k, .v = v};
}

/* Nothing is collected here, but memory that was given back can go to the system. */
struct error *api_diagnostics_gc_compact(struct call *c,
                                         const struct diagnostics_gc_compact_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    malloc_trim(0);
    return NULL;
}

struct error *api_diagnostics_gc_stats(struct call *c, const struct diagnostics_gc_stats_args *a,
                                       struct map_string_string *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const struct mallinfo2 m = mallinfo2();
    const struct figure f[] = {
        {"heap_bytes", m.arena},        {"mapped_bytes", m.hblkhd}, {"mapped_blocks", m.hblks},
        {"used_bytes", m.uordblks},     {"free_bytes", m.fordblks}, {"free_chunks", m.ordblks},
        {"top_free_bytes", m.keepcost},
    };

    figures(c->arena, f, ARRAY_SIZE(f), ret);
    return NULL;
}

struct error *api_diagnostics_db_stats(struct call *c, const struct diagnostics_db_stats_args *a,
                                       struct map_string_string *ret)
{
    struct store_stats s;

    store_stats(c->daemon->store, &s);
    const struct figure f[] = {
        {"objects", s.objects},         {"commits", s.commits},
        {"conflicts", s.conflicts},     {"flushes", s.flushes},
        {"row_bytes", s.row_bytes},     {"publications", s.publications},
        {"derivations", s.derivations},
    };

    figures(c->arena, f, ARRAY_SIZE(f), ret);
    return NULL;
}

static struct set_string pair(struct arena *a, const char *name, uint64_t value)
{
    const char **v = arena_array(a, const char *, 2);

    v[0] = name;
    v[1] = arena_printf(a, "%llu", (unsigned long long)value);
    return (struct set_string){.n = 2, .v = v};
}

struct error *api_diagnostics_network_stats(struct call *c,
                                            const struct diagnostics_network_stats_args *a,
                                            struct set_set_string *ret)
{
    struct set_string *rows = arena_array(c->arena, struct set_string, 5);
    const struct host_rec *host;
    size_t n = 0;

    TRY(txn_host(c->txn, a->host, &host));
    const struct server_stats s = server_stats(c->daemon->server);

    rows[n++] = pair(c->arena, "unix connections", s.unix_connections);
    rows[n++] = pair(c->arena, "TCP connections", s.tcp_connections);
    rows[n++] = pair(c->arena, "accepted", s.accepted);
    rows[n++] = pair(c->arena, "refused", s.refused);
    rows[n++] = pair(c->arena, "requests", s.requests);
    *ret = (struct set_set_string){.n = n, .v = rows};
    return NULL;
}

struct error *api_host_get_thread_diagnostics(struct call *c,
                                              const struct host_get_thread_diagnostics_args *a,
                                              const char **ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const struct workers_stats calls = workers_stats(c->daemon->workers);
    const struct workers_stats moves = workers_stats(c->daemon->transfers);
    const struct engine_stats plans = engine_stats(c->daemon->engine);

    *ret = arena_printf(c->arena,
                        "workers: %u threads, %u busy, %u queued\n"
                        "transfers: %u threads, %u busy, %u queued\n"
                        "plans: %zu running, %zu waiting, %zu failed\n",
                        calls.threads, calls.busy, calls.queued, moves.threads, moves.busy,
                        moves.queued, plans.running, plans.waiting, plans.failed);
    return NULL;
}
