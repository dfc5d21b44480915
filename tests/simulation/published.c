/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The feed as it was filled, to compare with what listeners were told. */
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/store_priv.h"
#include "simulation/fail.h"
#include "simulation/history_parts.h"
#include "simulation/mutants.h"
#include "simulation/sched.h"

struct entry {
    uint64_t stamp;
    char *ref;
    enum class_id class_id;
    struct version *version; /* counted; NULL = deleted */
    int64_t time_us;
};

/* Of the present life of the daemon. */
static struct VEC(struct entry) feed;
static unsigned life;
static uint64_t epoch;
static size_t n_loaded; /* entries that were there from the start */

struct known {
    char *ref;
    enum class_id class_id;
    struct version *version;
};

struct published {
    struct strmap by_ref; /* struct known */
    size_t count[CLASS_MAX];
    unsigned life;
    size_t next;               /* in feed */
    int64_t oldest[CLASS_MAX]; /* of what the last move passed */
    struct VEC(const char *) touched;
};

static void unref(struct version *v)
{
    if (v)
        version_unref(v);
}

static void add(uint64_t stamp, const struct object *o, struct version *v)
{
    if (feed.n > n_loaded && feed.v[feed.n - 1].stamp >= stamp)
        fail("a publication has stamp %lu, after one with %lu", (unsigned long)stamp,
             (unsigned long)feed.v[feed.n - 1].stamp);
    vec_add(&feed, ((struct entry){.stamp = stamp,
                                   .ref = xstrdup(o->ref),
                                   .class_id = o->class_id,
                                   .version = v ? version_ref(v) : NULL,
                                   .time_us = sched_now_us()}));
}

typeof(feed_published) __real_feed_published, __wrap_feed_published;

void __wrap_feed_published(struct store *s, struct object *o, struct version *old)
{
    add(o->head->stamp, o, o->head);
    __real_feed_published(s, o, old);
}

typeof(feed_tombstone) __real_feed_tombstone, __wrap_feed_tombstone;

void __wrap_feed_tombstone(struct store *s, const struct tombstone *t)
{
    const struct object *o = strmap_find(&s->by_ref, t->ref);

    /* Those read when the store is opened are of objects that are gone. */
    if (o && o->head)
        add(t->stamp, o, NULL);
    if (mutant_drops_tombstone())
        return;
    __real_feed_tombstone(s, t);
}

void published_begin(struct store *s)
{
    vec_foreach (e, &feed) {
        free(e->ref);
        unref(e->version);
    }
    feed.n = 0;
    life++;
    epoch = s->epoch;
    for (int i = 1; i < CLASS_MAX; i++) {
        const struct object *o;

        list_foreach (o, &s->classes[i].all, all) {
            vec_add(&feed, ((struct entry){.ref = xstrdup(o->ref),
                                           .class_id = o->class_id,
                                           .version = version_ref(o->head)}));
        }
    }
    n_loaded = feed.n;
}

/* ---- one who follows ---- */

uint64_t published_epoch(void)
{
    return epoch;
}

struct published *published_new(void)
{
    return xnew(struct published);
}

static void forget_all(struct published *p)
{
    struct known *k;
    size_t pos = 0;

    while ((k = strmap_next(&p->by_ref, &pos, NULL))) {
        unref(k->version);
        free(k->ref);
        free(k);
    }
    strmap_fini(&p->by_ref);
    p->by_ref = (struct strmap){0};
    memset(p->count, 0, sizeof(p->count));
    p->next = 0;
}

void published_free(struct published *p)
{
    forget_all(p);
    vec_fini(&p->touched);
    free(p);
}

static void follow(struct published *p, const struct entry *e)
{
    struct known *k = strmap_find(&p->by_ref, e->ref);

    if (!k) {
        k = xnew(struct known);
        k->ref = xstrdup(e->ref);
        strmap_set(&p->by_ref, k->ref, k);
    }
    p->count[e->class_id] += (e->version != NULL) - (k->version != NULL);
    unref(k->version);
    k->class_id = e->class_id;
    k->version = e->version ? version_ref(e->version) : NULL;
    vec_add(&p->touched, k->ref);
    p->oldest[e->class_id] = MIN(p->oldest[e->class_id], e->time_us);
}

int64_t published_oldest(const struct published *p, const bool classes_wanted[CLASS_MAX])
{
    int64_t oldest = SCHED_NEVER;

    for (int i = 1; i < CLASS_MAX; i++)
        if (classes_wanted[i])
            oldest = MIN(oldest, p->oldest[i]);
    return oldest;
}

void published_move(struct published *p, uint64_t stamp, const char *const **touched, size_t *n,
                    bool *ret_all)
{
    *ret_all = p->life != life;
    if (p->life != life)
        forget_all(p);
    p->life = life;
    p->touched.n = 0;
    for (int i = 0; i < CLASS_MAX; i++)
        p->oldest[i] = SCHED_NEVER;
    while (p->next < feed.n && feed.v[p->next].stamp <= stamp)
        follow(p, &feed.v[p->next++]);
    *touched = p->touched.v;
    *n = p->touched.n;
}

struct version *published_find(struct published *p, const char *ref)
{
    const struct known *k = strmap_find(&p->by_ref, ref);

    return k ? k->version : NULL;
}

size_t published_count(struct published *p, const bool classes_wanted[CLASS_MAX])
{
    size_t n = 0;

    for (int i = 1; i < CLASS_MAX; i++)
        n += classes_wanted[i] ? p->count[i] : 0;
    return n;
}

const char *const *published_refs(struct published *p)
{
    const struct known *k;
    size_t pos = 0;

    p->touched.n = 0;
    while ((k = strmap_next(&p->by_ref, &pos, NULL)))
        if (k->version)
            vec_add(&p->touched, k->ref);
    vec_add(&p->touched, NULL);
    return p->touched.v;
}
