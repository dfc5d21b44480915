/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often callers called, counted since the daemon began or the row was made. A call takes one
 * token.
 */
#include "api/common/lists.h"
#include "gen/class/Caller_txn.h"
#include "gen/class/host_txn.h"
#include "gen/messages.h"
#include "gen/msg/Caller.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "task/tally.h"

static int64_t calls_of_row(const struct tally_row *rows, size_t n, const char *ref)
{
    for (size_t i = 0; i < n; i++)
        if (streq(rows[i].ref, ref))
            return rows[i].calls;
    return 0; /* made a moment ago */
}

static struct error *calls_of(struct call *c, const char *ref, int64_t *ret)
{
    const struct caller_rec *row;
    struct tally_row *counts;

    TRY(txn_caller(c->txn, ref, &row));
    size_t n = tally_rows(c->daemon->tally, c->arena, &counts);

    *ret = calls_of_row(counts, n, ref);
    return NULL;
}

static int64_t calls_of_group(struct call *c, const char *group)
{
    const struct caller_rec *const *all;
    struct tally_row *counts;
    size_t n_all = txn_all_caller(c->txn, &all);
    size_t n = tally_rows(c->daemon->tally, c->arena, &counts);
    int64_t sum = 0;

    for (size_t i = 0; i < n_all; i++)
        if (set_has(&all[i]->groups, group))
            sum += calls_of_row(counts, n, all[i]->self);
    return sum;
}

struct error *api_caller_query_call_count(struct call *c,
                                          const struct caller_query_call_count_args *a,
                                          int64_t *ret)
{
    return calls_of(c, a->self, ret);
}

struct error *api_caller_query_token_usage(struct call *c,
                                           const struct caller_query_token_usage_args *a,
                                           double *ret)
{
    int64_t calls;

    TRY(calls_of(c, a->self, &calls));
    *ret = (double)calls;
    return NULL;
}

struct error *api_caller_query_group_call_count(struct call *c,
                                                const struct caller_query_group_call_count_args *a,
                                                int64_t *ret)
{
    *ret = calls_of_group(c, a->group);
    return NULL;
}

struct error *api_caller_query_group_token_usage(
    struct call *c, const struct caller_query_group_token_usage_args *a, double *ret)
{
    *ret = (double)calls_of_group(c, a->group);
    return NULL;
}

struct usage {
    const char *uuid, *name;
    int64_t calls;
};

static int by_calls(const void *a, const void *b)
{
    const struct usage *x = a, *y = b;

    return x->calls > y->calls ? -1 : x->calls < y->calls;
}

/* What there is to tell of one that nobody gave a name. */
static const char *pattern(struct call *c, const char *agent, const char *address)
{
    return arena_printf(c->arena, "user_agent: %s, client_ip: %s", agent, address);
}

/* Rows, and callers that none stands for. */
static size_t all_usage(struct call *c, struct usage **ret)
{
    const struct caller_rec *const *rows;
    struct tally_caller *came;
    struct tally_row *counts;
    size_t n_rows = txn_all_caller(c->txn, &rows), n = 0;
    size_t n_came = tally_callers(c->daemon->tally, c->arena, &came);
    size_t n_counts = tally_rows(c->daemon->tally, c->arena, &counts);
    struct usage *all = arena_array(c->arena, struct usage, n_rows + n_came);

    for (size_t i = 0; i < n_rows; i++)
        all[n++] = (struct usage){rows[i]->uuid,
                                  *rows[i]->name_label
                                      ? rows[i]->name_label
                                      : pattern(c, rows[i]->user_agent, rows[i]->client_ip),
                                  calls_of_row(counts, n_counts, rows[i]->self)};
    for (size_t i = 0; i < n_came; i++)
        if (!came[i].has_row)
            all[n++] =
                (struct usage){"", pattern(c, came[i].agent, came[i].address), came[i].calls};
    *ret = all;
    return n;
}

/* Each as uuid, name, tokens, calls. */
struct error *api_caller_query_all_usage(struct call *c,
                                         const struct caller_query_all_usage_args *a,
                                         struct set_set_string *ret)
{
    struct usage *all;
    size_t n = all_usage(c, &all);
    struct set_string *rows = arena_array(c->arena, struct set_string, n);

    if (n)
        qsort(all, n, sizeof(*all), by_calls);
    for (size_t i = 0; i < n; i++) {
        const char **words = arena_array(c->arena, const char *, 4);

        words[0] = all[i].uuid;
        words[1] = all[i].name;
        words[2] = arena_printf(c->arena, "%lld.000", (long long)all[i].calls);
        words[3] = arena_printf(c->arena, "%lld", (long long)all[i].calls);
        rows[i] = (struct set_string){.n = 4, .v = words};
    }
    *ret = (struct set_set_string){.n = n, .v = rows};
    return NULL;
}

/* ---- of the host */

/* name -> version of "name/version"; of several versions the one seen last. */
struct error *api_host_get_tracked_user_agents(struct call *c,
                                               const struct host_get_tracked_user_agents_args *a,
                                               struct map_string_string *ret)
{
    const struct host_rec *host;
    struct tally_caller *came;

    TRY(txn_host(c->txn, a->self, &host));
    size_t n = tally_callers(c->daemon->tally, c->arena, &came);

    *ret = (struct map_string_string){0};
    for (size_t i = 0; i < n; i++) {
        const char *slash = strchr(came[i].agent, '/');
        size_t len = slash ? (size_t)(slash - came[i].agent) : strlen(came[i].agent);
        const char *name = arena_printf(c->arena, "%.*s", (int)len, came[i].agent);

        if (len && !map_find(ret, name))
            map_set(c->arena, ret, name, slash ? slash + 1 : "");
    }
    return NULL;
}

/* Seconds a call of each message took on average, with the number of calls before it if asked. */
struct error *api_host_get_diagnostic_timing_stats(
    struct call *c, const struct host_get_diagnostic_timing_stats_args *a,
    struct map_string_string *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    const struct tally_message *m = tally_messages(c->daemon->tally, c->arena, MID_MAX);
    const char **k = arena_array(c->arena, const char *, MID_MAX);
    const char **v = arena_array(c->arena, const char *, MID_MAX);

    *ret = (struct map_string_string){.k = k, .v = v};
    for (size_t i = 0; i < MID_MAX; i++) {
        if (!m[i].calls)
            continue;
        double mean = (double)m[i].us / 1e6 / (double)m[i].calls;

        k[ret->n] = messages[i].name;
        v[ret->n++] = a->counts ? arena_printf(c->arena, "%lld %.6f", (long long)m[i].calls, mean)
                                : arena_printf(c->arena, "%.6f", mean);
    }
    return NULL;
}
