/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commits reach the disk in groups: whoever finds no flush under way takes everything that waits
 * and makes it durable with one flush; the others sleep. Only then versions become visible, in
 * order. If the disk refuses, everything staged after it is undone as well, newest first. Commits
 * that no thread waits for are flushed along, or by the committer's thread (later.c).
 *
 * Who sleeps does so on a lock of its own and is woken when the store's is free again: else each
 * would wake only to queue for that one.
 */
#include "model/soft_rows.h"
#include "model/store_priv.h"

#define FLUSH_BATCH_MAX 256

void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->n_done; i++)
        object_unref(p->done[i].obj);
    free(p->done);
    arena_fini(&p->arena);
    free(p);
}

static void publish_delete(struct store *s, const struct work_done *d)
{
    struct object *o = d->obj;
    struct tombstone t = {
        .stamp = ++s->stamp,
        .created_stamp = o->created_stamp,
        .generation = d->was_soft ? 0 : s->published_generation,
        .created_gen = o->head->created_gen,
        .class_id = o->class_id,
    };

    snprintf(t.ref, sizeof(t.ref), "%s", o->ref);
    feed_tombstone(s, &t);
    soft_rows_gone(s->soft_rows, o, t.stamp);
    list_remove(&o->change);
    list_remove(&o->all);
    s->classes[o->class_id].n--;
    version_unref(o->head);
    o->head = NULL;
    store_map_remove(s, o);
}

static void publish_version(struct store *s, const struct work_done *d)
{
    struct object *o = d->obj;
    struct version *old = o->head;

    o->head = version_ref(d->made);
    o->head->stamp = ++s->stamp;
    feed_published(s, o, old);
    if (!old && d->was_soft)
        soft_rows_born(s->soft_rows, o);
    version_unref(old);
    /* The tail's own count goes with the pending commit; head keeps it alive while it is the tail.
     */
    version_unref(d->made);
}

static void publish_one(struct store *s, struct pending *p)
{
    struct publication note = {.complete = p->n_done <= ARRAY_SIZE(note.objects)};

    if (p->has_rows)
        s->published_generation = p->commit.generation;
    for (size_t i = 0; i < p->n_done; i++) {
        const struct work_done *d = &p->done[i];

        if (d->member_seq)
            s->classes[d->obj->class_id].member_seq_pub = d->member_seq;
        note.classes[d->obj->class_id] = true;
        if (note.complete)
            note.objects[note.n_objects++] = (struct touched){d->obj->class_id, d->obj->ref};
        if (d->made)
            publish_version(s, d);
        else
            publish_delete(s, d);
    }
    s->stats.publications++;
    feed_notify(s, &note);
}

/* Puts every object back to what it was before this commit. */
static void undo_one(struct store *s, struct pending *p)
{
    for (size_t i = p->n_done; i-- > 0;) {
        struct work_done *d = &p->done[i];
        struct object *o = d->obj;

        s->bytes += (d->old ? d->old->size : 0) - (d->made ? d->made->size : 0);
        o->tail = d->old;
        o->soft = d->was_soft;
        edges_set(s, o, d->old ? d->old->rec : NULL);
        if (d->old)
            store_map_uuid(s, o, d->old->rec);
        else
            store_map_remove(s, o);
        version_unref(d->made);
        struct class_state *c = &s->classes[o->class_id];

        c->member_seq = c->member_seq_pub;
    }
}

static void finish(struct pending *p, struct error *e, struct list *finished)
{
    p->error = e;
    p->finished = true;
    list_append(finished, &p->link);
}

static void tell(struct pending *p)
{
    pthread_mutex_lock(&p->told_lock);
    p->told = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->told_lock);
}

void publish_tell_leader(struct store *s, struct pending *p)
{
    if (p && p->later)
        committer_lead(&s->committer);
    else if (p)
        tell(p);
}

/* All but `own`, whose thread this is. Returns how many of them no thread waited for. */
static unsigned tell_finished(struct store *s, struct list *finished, const struct pending *own)
{
    struct pending *p;
    unsigned n_later = 0;

    list_foreach (p, finished, link) {
        list_remove(&p->link);
        if (p->later) {
            later_end(s, p);
            n_later++;
        } else if (p != own) {
            tell(p);
        }
    }
    return n_later;
}

/* Lock held. */
static void count_told(struct store *s, unsigned n_later)
{
    s->n_later -= n_later;
    if (n_later && !s->n_later)
        pthread_cond_broadcast(&s->flushed);
}

static void await_told(struct pending *p)
{
    pthread_mutex_lock(&p->told_lock);
    while (!p->told)
        pthread_cond_wait(&p->wake, &p->told_lock);
    pthread_mutex_unlock(&p->told_lock);
}

/* Only what the disk was asked for has failed by the disk. The rest was built on it, and can be
 * built again on what is there now. */
static struct error *failure_of(const struct pending *p, const struct error *why)
{
    const struct object *o = p->done[0].obj;

    if (p->tried && p->has_rows)
        return error_copy(why);
    return error_api(DB_CONFLICT, 2, classes[o->class_id].name, o->ref);
}

static void fail_all(struct store *s, struct list *batch, struct error *why, struct list *finished)
{
    struct pending *p;

    /* What was staged on top of the failed commits goes first, newest first. */
    list_foreach (p, &s->queue, link) {
        list_remove(&p->link);
        list_append(batch, &p->link);
    }
    bool first = true;

    while (!list_empty(batch)) {
        p = list_entry(batch->prev, struct pending, link);
        list_remove(&p->link);
        struct error *e = failure_of(p, why);

        undo_one(s, p);
        s->generation = p->prev_generation;
        finish(p, e, finished);
        first = false;
    }
    assert(!first);
    error_free(why);
}

static void take_batch(struct store *s, struct list *batch, size_t *ret_rows)
{
    struct pending *p;
    size_t n = 0;

    list_init(batch);
    *ret_rows = 0;
    list_foreach (p, &s->queue, link) {
        if (n++ == FLUSH_BATCH_MAX)
            break;
        list_remove(&p->link);
        list_append(batch, &p->link);
        p->tried = true;
        *ret_rows += p->has_rows;
    }
}

/* Lock held on entry and exit, not during the flush. */
static struct error *flush_batch(struct store *s, struct list *batch, size_t n_rows)
{
    struct pending *p;
    size_t n = 0;

    if (!n_rows)
        return NULL;
    struct db_commit *commits = xnew_array(struct db_commit, n_rows);

    list_foreach (p, batch, link)
        if (p->has_rows)
            commits[n++] = p->commit;
    pthread_mutex_unlock(&s->lock);
    struct error *e = db_commit(s->db, commits, n);

    pthread_mutex_lock(&s->lock);
    free(commits);
    if (error_is(e, DB_DAMAGED)) {
        store_set_read_only(s, e->params[0]);
        error_free(e);
        e = store_refusal(s);
    }
    return e;
}

static void flush_queue_once(struct store *s, struct list *finished)
{
    struct list batch;
    struct pending *p;
    size_t n_rows;

    take_batch(s, &batch, &n_rows);
    struct error *e = flush_batch(s, &batch, n_rows);

    if (e) {
        fail_all(s, &batch, e, finished);
    } else {
        list_foreach (p, &batch, link) {
            publish_one(s, p);
            list_remove(&p->link);
            finish(p, NULL, finished);
        }
    }
    pthread_cond_broadcast(&s->flushed);
}

struct pending *publish_hand_over(struct store *s)
{
    if (list_empty(&s->queue) || s->database_wanted) {
        s->flushing = false;
        pthread_cond_broadcast(&s->flushed);
        return NULL;
    }
    struct pending *next = list_entry(s->queue.next, struct pending, link);

    next->leads = true;
    return next;
}

/* Flushes until p is finished. Lock held on entry, not on return. */
static void lead(struct store *s, struct pending *p)
{
    struct list finished;

    list_init(&finished);
    while (!p->finished)
        flush_queue_once(s, &finished);
    struct pending *next = publish_hand_over(s);

    pthread_mutex_unlock(&s->lock);
    const unsigned n_later = tell_finished(s, &finished, p);

    publish_tell_leader(s, next); /* last: what those do next may still come along */
    if (!n_later)
        return;
    pthread_mutex_lock(&s->lock);
    count_told(s, n_later);
    pthread_mutex_unlock(&s->lock);
}

void publish_lead(struct store *s)
{
    struct pending *next;

    pthread_mutex_lock(&s->lock);
    do {
        struct list finished;

        list_init(&finished);
        flush_queue_once(s, &finished);
        pthread_mutex_unlock(&s->lock);
        const unsigned n_later = tell_finished(s, &finished, NULL);

        pthread_mutex_lock(&s->lock);
        count_told(s, n_later);
        next = publish_hand_over(s);
    } while (next && next->later);
    pthread_mutex_unlock(&s->lock);
    publish_tell_leader(s, next);
}

/* Lock held. True: nobody uses the database, so the caller does from now on. */
static bool enqueue(struct store *s, struct pending *p)
{
    const bool leads = !s->flushing;

    list_init(&p->link);
    list_append(&s->queue, &p->link);
    s->flushing = true;
    return leads;
}

struct error *publish_pending(struct store *s, struct pending *p)
{
    pthread_mutex_init(&p->told_lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    const bool leads = enqueue(s, p);

    if (!leads) {
        pthread_mutex_unlock(&s->lock);
        await_told(p);
    }
    if (p->leads)
        pthread_mutex_lock(&s->lock);
    if (leads || p->leads)
        lead(s, p);
    struct error *e = p->error;

    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->told_lock);
    pending_free(p);
    return e;
}

bool publish_later(struct store *s, struct pending *p)
{
    const bool at_once = !p->has_rows && !s->flushing && list_empty(&s->queue);

    if (at_once) {
        publish_one(s, p);
        pthread_mutex_unlock(&s->lock);
        pending_free(p);
        return false;
    }
    s->n_later++;
    const bool leads = enqueue(s, p);

    pthread_mutex_unlock(&s->lock);
    if (leads)
        committer_lead(&s->committer);
    return true;
}
