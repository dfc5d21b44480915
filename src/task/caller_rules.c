/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/caller_rules.h"

#include "base/world.h"
#include "gen/class/Caller.h"
#include "gen/class/Rate_limit.h"

#define LONGEST_WAIT_S (365 * 86400.0)

/* ---- buckets ---- */

static struct bucket *bucket_new(const char *row, const struct rate_limit_rec *limit)
{
    struct bucket *b = xnew(struct bucket);

    atomic_init(&b->refs, 1);
    b->row = xstrdup(row);
    b->size = b->tokens = limit->burst_size;
    b->fill = limit->fill_rate;
    b->filled_us = mono_us();
    return b;
}

struct bucket *bucket_ref(struct bucket *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void bucket_unref(struct bucket *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(b->row);
    free(b);
}

int64_t bucket_take(struct bucket *b, int64_t now)
{
    const double came = (double)(now - b->filled_us) / SECOND_US * b->fill;

    b->tokens = MIN(b->size, b->tokens + came) - 1;
    b->filled_us = now;
    return b->tokens >= 0 ? now
                          : now + (int64_t)(MIN(-b->tokens / b->fill, LONGEST_WAIT_S) * SECOND_US);
}

/* ---- rules ---- */

static bool pattern_fits(const char *pattern, const char *text)
{
    const size_t n = strlen(pattern);

    if (!n)
        return true;
    return pattern[n - 1] == '*' ? !strncmp(pattern, text, n - 1) : streq(pattern, text);
}

bool pattern_is_whole(const char *pattern)
{
    const size_t n = strlen(pattern);

    return n && pattern[n - 1] != '*';
}

bool rule_names_one(const struct rule *r)
{
    return pattern_is_whole(r->agent) && pattern_is_whole(r->address);
}

bool rule_fits(const struct rule *r, const char *agent, const char *address)
{
    return pattern_fits(r->agent, agent) && pattern_fits(r->address, address);
}

/* A whole text says more than the beginning of as many characters. */
static size_t weight(const char *pattern)
{
    const size_t n = strlen(pattern);

    return !n ? 0 : pattern[n - 1] == '*' ? 2 * (n - 1) : 2 * n + 1;
}

static int by_weight(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;
    const size_t p = weight(x->agent) + weight(x->address);
    const size_t q = weight(y->agent) + weight(y->address);

    if (p != q)
        return p > q ? -1 : 1;
    if (weight(x->address) != weight(y->address))
        return weight(x->address) > weight(y->address) ? -1 : 1;
    return strcmp(x->row, y->row);
}

static struct rule *find_rule(const struct rules *r, const char *row)
{
    vec_foreach (it, &r->list)
        if (streq(it->row, row))
            return it;
    return NULL;
}

static struct bucket *find_bucket(const struct rules *r, const char *row)
{
    vec_foreach (it, &r->list)
        if (it->bucket && streq(it->bucket->row, row))
            return it->bucket;
    return NULL;
}

/* Several callers share one: look among those made just now, too. */
static struct bucket *bucket_for(const struct rules *old, const struct rules *made,
                                 struct store *store, const char *row)
{
    _cleanup_version_ struct version *v = store_find(store, CLASS_RATE_LIMIT, row);
    const struct rate_limit_rec *limit = v ? v->rec : NULL;
    struct bucket *b = find_bucket(made, row);

    if (!limit || !(limit->burst_size > 0) || !(limit->fill_rate > 0))
        return NULL;
    if (!b)
        b = find_bucket(old, row);
    if (b && b->size == limit->burst_size && b->fill == limit->fill_rate)
        return bucket_ref(b);
    return bucket_new(row, limit);
}

static void add_rule(struct rules *made, const struct rules *old, struct store *store,
                     const struct version *v)
{
    const struct caller_rec *row = v->rec;
    const struct rule *before = find_rule(old, row->self);
    const struct rule rule = {
        .row = xstrdup(row->self),
        .agent = xstrdup(row->user_agent),
        .address = xstrdup(row->client_ip),
        .bucket = bucket_for(old, made, store, row->rate_limit),
        .calls = before ? before->calls : 0,
        .noted = before ? before->noted : 0,
    };

    vec_add(&made->list, rule);
}

void rules_fini(struct rules *r)
{
    vec_foreach (it, &r->list) {
        free(it->row);
        free(it->agent);
        free(it->address);
        bucket_unref(it->bucket);
    }
    vec_fini(&r->list);
}

void rules_read(struct rules *r, struct store *store)
{
    struct rules made = {0};
    struct version_list rows;

    store_all(store, CLASS_CALLER, &rows);
    vec_foreach (v, &rows)
        add_rule(&made, r, store, *v);
    version_list_fini(&rows);
    if (made.list.n)
        qsort(made.list.v, made.list.n, sizeof(*made.list.v), by_weight);
    vec_foreach (it, &r->list)
        if (it->bucket && find_bucket(&made, it->bucket->row) != it->bucket)
            atomic_store(&it->bucket->over, true);
    rules_fini(r);
    *r = made;
}
