/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/tally.h"

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#include <pthread.h>

struct caller {
    struct list link; /* the latest one first */
    char *key;        /* agent, line feed (no header has one), address */
    size_t agent_len;
    int64_t calls;
};

struct tally {
    pthread_mutex_t lock;
    struct strmap by_key;
    struct list latest;
    size_t n_messages;
    struct tally_message messages[];
};

struct tally *tally_new(size_t messages)
{
    struct tally *t = xcalloc(1, sizeof(*t) + messages * sizeof(t->messages[0]));

    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->latest);
    t->n_messages = messages;
    return t;
}

static void drop(struct tally *t, struct caller *c)
{
    strmap_remove(&t->by_key, c->key);
    list_remove(&c->link);
    free(c->key);
    free(c);
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    while (!list_empty(&t->latest))
        drop(t, container_of(t->latest.next, struct caller, link));
    strmap_fini(&t->by_key);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

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

/* One that was not seen before, or the same again; it is the latest now. */
void tally_came(struct tally *t, const char *agent, const char *address)
{
    char key[TALLY_TEXT_MAX + 64];
    int agent_len = (int)MIN(strlen(agent), (size_t)TALLY_TEXT_MAX);

    if (!t)
        return;
    snprintf(key, sizeof(key), "%.*s\n%s", agent_len, agent, address);
    pthread_mutex_lock(&t->lock);
    struct caller *c = strmap_find(&t->by_key, key);

    if (c)
        list_remove(&c->link);
    else
        c = add(t, key, (size_t)agent_len);
    list_prepend(&t->latest, &c->link);
    c->calls++;
    pthread_mutex_unlock(&t->lock);
}

void tally_ended(struct tally *t, size_t message, int64_t us)
{
    if (!t || message >= t->n_messages)
        return;
    pthread_mutex_lock(&t->lock);
    t->messages[message].calls++;
    t->messages[message].us += us;
    pthread_mutex_unlock(&t->lock);
}

size_t tally_callers(struct tally *t, struct arena *a, struct tally_caller **ret)
{
    struct caller *c;
    size_t n = 0;

    *ret = arena_array(a, struct tally_caller, TALLY_CALLERS);
    if (!t)
        return 0;
    pthread_mutex_lock(&t->lock);
    list_foreach (c, &t->latest, link)
        (*ret)[n++] = (struct tally_caller){
            .agent = arena_printf(a, "%.*s", (int)c->agent_len, c->key),
            .address = arena_strdup(a, c->key + c->agent_len + 1),
            .calls = c->calls,
        };
    pthread_mutex_unlock(&t->lock);
    return n;
}

struct tally_message *tally_messages(struct tally *t, struct arena *a, size_t n)
{
    struct tally_message *copy = arena_array(a, struct tally_message, n);

    if (!t)
        return copy;
    pthread_mutex_lock(&t->lock);
    memcpy(copy, t->messages, MIN(n, t->n_messages) * sizeof(*copy));
    pthread_mutex_unlock(&t->lock);
    return copy;
}
