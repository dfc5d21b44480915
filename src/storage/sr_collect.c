/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Merging images that no VDI uses and only one other image reads. The upper image's data goes into
 * the lower one, then whatever used the upper one uses the lower one. At every moment both ways of
 * reading give the same bytes, so the records may be written one by one.
 */

#include "storage/sr_internal.h"

#include <errno.h>

struct merge {
    struct sr *sr;
    const struct sr_collect *how;
    struct node *top;
    struct node *base;
    struct owner *owner;
    bool own;      /* the owner was started for this */
    bool switched; /* the records name base */
};

/* The owner that has n open. */
static struct owner *find_owner(const struct sr *sr, const struct node *n)
{
    size_t pos = 0;
    const char *key;
    const struct vdi *v;

    while ((v = strmap_next(&sr->tree.vdis, &pos, &key))) {
        for (const struct node *p = v->owner ? v->owner->top : NULL; p; p = p->parent) {
            if (p == n)
                return v->owner;
        }
    }
    return NULL;
}

static struct node *only_child(const struct sr *sr, const struct node *n)
{
    size_t pos = 0;
    const char *key;
    struct node *c;

    while ((c = strmap_next(&sr->tree.nodes, &pos, &key))) {
        if (c->parent == n)
            return c;
    }
    return NULL;
}

/* One owner at most may have the two open, and it must be one that can be told to merge. */
static bool is_mergeable(struct merge *m, struct node *base)
{
    if (base->n_vdis > 0 || base->n_children != 1 || base->busy || base->broken)
        return false;
    struct node *top = only_child(m->sr, base);
    unsigned pins = top->readers + top->writer;
    if (top->busy || top->broken || pins > 1)
        return false;
    m->owner = pins ? find_owner(m->sr, top) : NULL;
    if (pins &&
        (!m->owner || !m->owner->driver->alive(m->owner) || sr_is_attaching(m->sr, m->owner)))
        return false;
    m->top = top;
    m->base = base;
    return true;
}

static bool find_merge(struct merge *m)
{
    size_t pos = 0;
    const char *key;
    struct node *n;

    while ((n = strmap_next(&m->sr->tree.nodes, &pos, &key))) {
        if (is_mergeable(m, n))
            return true;
    }
    return false;
}

/* ---- the records ---- */

static struct error *move_users(struct merge *m, struct node *from, struct node *to)
{
    struct sr *sr = m->sr;
    struct error *first = NULL;
    size_t pos = 0;
    const char *key;
    struct node *n;
    struct vdi *v;

    while ((n = strmap_next(&sr->tree.nodes, &pos, &key))) {
        if (n->parent != from || n == to)
            continue;
        tree_set_parent(n, to);
        struct error *e = sr_write_node(sr, n);
        if (first)
            error_free(e);
        else
            first = e;
    }
    pos = 0;
    while ((v = strmap_next(&sr->tree.vdis, &pos, &key))) {
        if (v->node != from)
            continue;
        tree_set_vdi_node(v, to);
        struct error *e = sr_write_vdi(sr, v);
        if (first)
            error_free(e);
        else
            first = e;
    }
    return first;
}

static struct error *write_records(struct merge *m)
{
    int64_t size = m->base->size;

    m->base->size = m->top->size;
    struct error *e = sr_write_node(m->sr, m->base);
    if (!e)
        e = move_users(m, m->top, m->base);
    if (e) {
        IGNORE_ERROR(move_users(m, m->base, m->top));
        m->base->size = size;
        return e;
    }
    m->switched = true;
    return NULL;
}

static struct error *before_switch(void *arg)
{
    struct merge *m = arg;

    pthread_mutex_lock(&m->sr->lock);
    struct error *e = write_records(m);
    pthread_mutex_unlock(&m->sr->lock);
    return e;
}

static bool is_cancelled(void *arg)
{
    struct merge *m = arg;

    pthread_mutex_lock(&m->sr->lock);
    bool yield = m->sr->yield;
    pthread_mutex_unlock(&m->sr->lock);
    return yield || (m->how->cancelled && m->how->cancelled(m->how->arg));
}

static void on_progress(void *arg, double fraction)
{
    struct merge *m = arg;

    if (m->how->progress)
        m->how->progress(m->how->arg, fraction);
}

/* ---- the merge ---- */

/* The owner reads (or writes) base where it did top. */
static void move_pins(struct merge *m)
{
    struct owner *o = m->owner;

    if (o->top != m->top) {
        m->top->readers--;
        return;
    }
    o->top = m->base;
    m->base->readers--;
    if (o->writable) {
        m->top->writer = false;
        m->base->writer = true;
    } else {
        m->top->readers--;
        m->base->readers++;
    }
}

static void tell_people(struct merge *m)
{
    const struct sr_driver *d = m->sr->driver;
    size_t pos = 0;
    const char *key;
    const struct node *n;
    const struct vdi *v;

    while (d->image_rebase && (n = strmap_next(&m->sr->tree.nodes, &pos, &key))) {
        if (n->parent == m->base && n != m->top && !n->writer && n->readers == 0)
            d->image_rebase(m->sr->place, n);
    }
    pos = 0;
    while (d->link && (v = strmap_next(&m->sr->tree.vdis, &pos, &key))) {
        if (v->node == m->base)
            d->link(m->sr->place, v->uuid.s, m->base);
    }
}

/* A switch that failed in a living process: it goes on with top, so the records must too. If the
 * process is gone, base holds everything in either case; if it does not answer, it may switch at
 * any later time, and writes nothing before that. */
static void settle_failure(struct merge *m, const struct error *e)
{
    if (!m->switched || e->errnum == ECONNRESET || e->errnum == ETIMEDOUT)
        return;
    IGNORE_ERROR(move_users(m, m->base, m->top));
    m->switched = false;
}

static struct error *run(struct merge *m)
{
    const struct image_progress progress = {
        .cancelled = is_cancelled, .progress = on_progress, .arg = m};
    const struct owner_commit c = {
        .top = m->top,
        .base = m->base,
        .bytes_per_second = m->how->bytes_per_second,
        .progress = &progress,
        .before_switch = before_switch,
        .arg = m,
    };

    pthread_mutex_unlock(&m->sr->lock);
    struct error *e = m->owner->driver->commit(m->owner, &c);
    pthread_mutex_lock(&m->sr->lock);
    return e;
}

static struct error *merge(struct merge *m)
{
    struct sr *sr = m->sr;

    if (!m->owner) {
        TRY(sr_start_owner(sr, m->top, NULL, false, &m->owner));
        m->own = true;
    }
    sr->collecting = m->top->busy = m->base->busy = true;
    sr->yield = false;
    struct error *e = run(m);
    sr->collecting = m->top->busy = m->base->busy = false;
    if (e)
        settle_failure(m, e);
    if (m->switched) {
        move_pins(m);
        m->owner->driver->node_close(m->owner, m->top);
        tell_people(m);
    }
    if (m->own)
        sr_stop_owner(sr, m->owner);
    if (m->switched)
        sr_release_node(sr, m->top);
    pthread_cond_broadcast(&sr->changed);
    return e;
}

struct error *sr_collect(struct storage *s, const char *uuid, const struct sr_collect *how,
                         bool *ret_merged)
{
    _cleanup_sr_ struct sr *sr = NULL;

    TRY(sr_lock(s, uuid, &sr));
    struct merge m = {.sr = sr, .how = how};
    if (sr->collecting || (sr->driver->flags & SR_READ_ONLY) || !find_merge(&m)) {
        *ret_merged = false;
        return NULL;
    }
    struct error *e = merge(&m);
    if (e && e->errnum == ECANCELED) {
        error_free(e);
        e = NULL;
    }
    if (!e)
        *ret_merged = m.switched;
    return sr_failure_from(SR_FAILURE_EIO, e);
}

/* The ids of all attached SRs; they may be detached at any moment, which sr_collect notices. */
static struct uuid_text *attached(struct storage *s, size_t *ret_n)
{
    pthread_mutex_lock(&s->lock);
    struct uuid_text *ids = xnew_array(struct uuid_text, s->srs.n + 1);
    const struct sr *sr;
    size_t pos = 0, n = 0;

    while ((sr = strmap_next(&s->srs, &pos, NULL)))
        ids[n++] = sr->uuid;
    pthread_mutex_unlock(&s->lock);
    *ret_n = n;
    return ids;
}

void sr_collect_all(struct storage *s, const struct sr_collect *how,
                    void (*fn)(void *arg, const char *sr, struct error *e), void *arg)
{
    size_t n;
    _cleanup_free_ struct uuid_text *ids = attached(s, &n);

    for (size_t i = 0; i < n; i++) {
        struct error *e = NULL;
        bool merged = true;

        while (!e && merged && !how->cancelled(how->arg)) {
            merged = false;
            e = sr_collect(s, ids[i].s, how, &merged);
        }
        if (e && !error_is(e, "SR_NOT_ATTACHED"))
            fn(arg, ids[i].s, e);
        else
            error_free(e);
    }
}
