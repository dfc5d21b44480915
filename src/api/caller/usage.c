/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often callers called: a row of Caller stands for all programs with its name and its address,
 * as far as it says. A call takes one token.
 */
#include "api/common/lists.h"
#include "gen/class/Caller_txn.h"
#include "gen/class/host_txn.h"
#include "gen/messages.h"
#include "gen/msg/Caller.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "task/tally.h"

static bool is_meant(const struct caller_rec *row, const struct tally_caller *c)
{
    return (!*row->user_agent || streq(row->user_agent, c->agent)) &&
           (!*row->client_ip || streq(row->client_ip, c->address));
}

static int64_t count_calls(struct call *c, const struct caller_rec *const *rows, size_t n_rows)
{
    struct tally_caller *came;
    size_t n = tally_callers(c->daemon->tally, c->arena, &came);
    int64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        bool meant = false;

        for (size_t r = 0; r < n_rows; r++)
            meant |= is_meant(rows[r], &came[i]);
        sum += meant ? came[i].calls : 0;
    }
    return sum;
}

static struct error *calls_of(struct call *c, const char *ref, int64_t *ret)
{
    const struct caller_rec *row;

    TRY(txn_caller(c->txn, ref, &row));
    *ret = count_calls(c, &row, 1);
    return NULL;
}

/* A caller that several rows of the group stand for counts once. */
static int64_t calls_of_group(struct call *c, const char *group)
{
    const struct caller_rec *const *all;
    size_t n = txn_all_caller(c->txn, &all), n_in = 0;
    const struct caller_rec **in = arena_array(c->arena, const struct caller_rec *, n);

    for (size_t i = 0; i < n; i++)
        if (set_has(&all[i]->groups, group))
            in[n_in++] = all[i];
    return count_calls(c, in, n_in);
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

/* Each as program, address, calls, tokens. */
struct error *api_caller_query_all_usage(struct call *c,
                                         const struct caller_query_all_usage_args *a,
                                         struct set_set_string *ret)
{
    struct tally_caller *came;
    size_t n = tally_callers(c->daemon->tally, c->arena, &came);
    struct set_string *rows = arena_array(c->arena, struct set_string, n);

    for (size_t i = 0; i < n; i++) {
        const char **words = arena_array(c->arena, const char *, 4);

        words[0] = came[i].agent;
        words[1] = came[i].address;
        words[2] = words[3] = arena_printf(c->arena, "%lld", (long long)came[i].calls);
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
