/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/tally.h"

#include "base/list.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/world.h"
#include "task/caller_rules.h"

#include <pthread.h>

struct caller {
    struct list link; /* the latest one first */
    char *key;        /* agent, line feed (no header has one), address */
    size_t agent_len;
    int64_t calls;
    bool is_new;         /* called with a session since tally_new_callers */
    uint64_t rules_seen; /* for which `fits` is right */
    struct VEC(struct rule *) fits;
};

/* Each message has its own: no two threads meet but in calls of one message. */
struct counter {
    _Atomic int64_t calls, us;
};

struct tally {
    pthread_mutex_t lock;
    struct strmap by_key;
    struct list latest;
    struct store *store; /* NULL = stopped */
    struct watch watch;
    _Atomic uint64_t rows_seq; /* moves when a row changes */
    uint64_t rules_seq;        /* for which `rules` is right */
    struct rules rules;
    size_t n_messages;
    struct counter messages[];
};

/* Under the store's lock: only notes it. */
static void on_rows(struct watch *w, const struct publication *p)
{
    struct tally *t = container_of(w, struct tally, watch);

    atomic_fetch_add(&t->rows_seq, 1);
}

struct tally *tally_new(size_t messages, struct store *store)
{
    struct tally *t = xcalloc(1, sizeof(*t) + messages * sizeof(t->messages[0]));

    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->latest);
    t->n_messages = messages;
    t->store = store;
    t->rows_seq = 1;
    t->watch.fn = on_rows;
    t->watch.classes[CLASS_CALLER] = t->watch.classes[CLASS_RATE_LIMIT] = true;
    store_watch(store, &t->watch);
    return t;
}

static void drop(struct tally *t, struct caller *c)
{
    strmap_remove(&t->by_key, c->key);
    list_remove(&c->link);
    vec_fini(&c->fits);
    free(c->key);
    free(c);
}

void tally_stop(struct tally *t)
{
    if (!t)
        return;
    store_unwatch(t->store, &t->watch);
    pthread_mutex_lock(&t->lock);
    t->store = NULL;
    pthread_mutex_unlock(&t->lock);
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    while (!list_empty(&t->latest))
        drop(t, container_of(t->latest.next, struct caller, link));
    strmap_fini(&t->by_key);
    rules_fini(&t->rules);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- callers ---- */

static struct caller *add(struct tally *t, const char *key, size_t agent_len)
{
    struct caller *c = xnew(struct caller);

    if (t->by_key.n >= TALLY_CALLERS)
        drop(t, container_of(t->latest.prev, struct caller, link));
    c->key = xstrdup(key);
    c->agent_len = agent_len;
    strmap_set(&t->by_key, c->key, c);
    return c;
}

/* Lock held. */
static void renew_rules(struct tally *t)
{
    const uint64_t seq = atomic_load(&t->rows_seq);

    if (seq == t->rules_seq || !t->store)
        return;
    rules_read(&t->rules, t->store);
    t->rules_seq = seq;
}

static void find_rules(struct tally *t, struct caller *c)
{
    char agent[TALLY_TEXT_MAX + 1];

    if (c->rules_seen == t->rules_seq)
        return;
    memcpy(agent, c->key, c->agent_len);
    agent[c->agent_len] = 0;
    c->fits.n = 0;
    vec_foreach (r, &t->rules.list)
        if (rule_fits(r, agent, c->key + c->agent_len + 1))
            vec_add(&c->fits, r);
    c->rules_seen = t->rules_seq;
}

static void apply_rules(struct tally *t, struct caller *c, struct permit *ret)
{
    struct bucket *b = NULL;

    renew_rules(t);
    find_rules(t, c);
    vec_foreach (r, &c->fits) {
        (*r)->calls++;
        b = b ? b : (*r)->bucket;
    }
    if (!b)
        return;
    const int64_t now = mono_us(), at = bucket_take(b, now);

    if (at > now)
        *ret = (struct permit){bucket_ref(b), at};
}

/* One that was not seen before, or the same again; it is the latest now. */
void tally_came(struct tally *t, const char *agent, const char *address, bool is_known,
                struct permit *ret)
{
    const size_t agent_len = strnlen(agent, TALLY_TEXT_MAX);
    const size_t address_len = strnlen(address, 64);
    char key[TALLY_TEXT_MAX + 64 + 2];

    *ret = (struct permit){0};
    if (!t)
        return;
    memcpy(key, agent, agent_len);
    key[agent_len] = '\n';
    memcpy(key + agent_len + 1, address, address_len);
    key[agent_len + 1 + address_len] = 0;
    utf8_clean(key);
    pthread_mutex_lock(&t->lock);
    struct caller *c = strmap_find(&t->by_key, key);

    if (c)
        list_remove(&c->link);
    else
        c = add(t, key, agent_len);
    list_prepend(&t->latest, &c->link);
    c->calls++;
    c->is_new |= is_known;
    apply_rules(t, c, ret);
    pthread_mutex_unlock(&t->lock);
}

bool tally_must_wait(struct tally *t, const struct permit *p)
{
    if (!p->bucket)
        return false;
    pthread_mutex_lock(&t->lock);
    renew_rules(t);
    pthread_mutex_unlock(&t->lock);
    return !atomic_load(&p->bucket->over) && mono_us() < p->at_us;
}

void permit_fini(struct permit *p)
{
    bucket_unref(TAKE_PTR(p->bucket));
}

/* Lock held, rules found. */
static struct tally_caller told(const struct caller *c, struct arena *a)
{
    return (struct tally_caller){
        .agent = arena_printf(a, "%.*s", (int)c->agent_len, c->key),
        .address = arena_strdup(a, c->key + c->agent_len + 1),
        .calls = c->calls,
        .has_row = c->fits.n > 0,
    };
}

static bool has_own_row(const struct caller *c)
{
    vec_foreach (r, &c->fits)
        if (rule_names_one(*r))
            return true;
    return false;
}

static size_t tell_callers(struct tally *t, struct arena *a, bool only_new,
                           struct tally_caller **ret)
{
    struct caller *c;
    size_t n = 0;

    *ret = arena_array(a, struct tally_caller, TALLY_CALLERS);
    if (!t)
        return 0;
    pthread_mutex_lock(&t->lock);
    renew_rules(t);
    list_foreach (c, &t->latest, link) {
        find_rules(t, c);
        if (!only_new || (c->is_new && !has_own_row(c)))
            (*ret)[n++] = told(c, a);
        if (only_new)
            c->is_new = false;
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}

size_t tally_callers(struct tally *t, struct arena *a, struct tally_caller **ret)
{
    return tell_callers(t, a, false, ret);
}

size_t tally_new_callers(struct tally *t, struct arena *a, struct tally_caller **ret)
{
    return tell_callers(t, a, true, ret);
}

size_t tally_rows(struct tally *t, struct arena *a, struct tally_row **ret)
{
    size_t n = 0;

    *ret = NULL;
    if (!t)
        return 0;
    pthread_mutex_lock(&t->lock);
    renew_rules(t);
    *ret = arena_array(a, struct tally_row, t->rules.list.n);
    vec_foreach (r, &t->rules.list)
        (*ret)[n++] = (struct tally_row){arena_strdup(a, r->row), r->calls};
    pthread_mutex_unlock(&t->lock);
    return n;
}

size_t tally_rows_called(struct tally *t, struct arena *a, const char ***ret)
{
    size_t n = 0;

    *ret = NULL;
    if (!t)
        return 0;
    pthread_mutex_lock(&t->lock);
    *ret = arena_array(a, const char *, t->rules.list.n);
    vec_foreach (r, &t->rules.list) {
        if (r->noted == r->calls)
            continue;
        (*ret)[n++] = arena_strdup(a, r->row);
        r->noted = r->calls;
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}

/* ---- messages ---- */

void tally_ended(struct tally *t, size_t message, int64_t us)
{
    if (!t || message >= t->n_messages)
        return;
    atomic_fetch_add_explicit(&t->messages[message].calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->messages[message].us, us, memory_order_relaxed);
}

struct tally_message *tally_messages(struct tally *t, struct arena *a, size_t n)
{
    struct tally_message *copy = arena_array(a, struct tally_message, n);

    for (size_t i = 0; t && i < MIN(n, t->n_messages); i++) {
        copy[i].calls = atomic_load_explicit(&t->messages[i].calls, memory_order_relaxed);
        copy[i].us = atomic_load_explicit(&t->messages[i].us, memory_order_relaxed);
    }
    return copy;
}
