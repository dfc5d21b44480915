/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a transaction to a staged commit. With the store locked: is everything the body read still
 * so (in the pending state)? Then the new rows are completed: consequences of deletions, checked
 * references, inverse sets, derived fields; frozen into versions; and handed to publish.c.
 */
#include "base/world.h"
#include "model/txn_priv.h"
#include "value/json.h"

static bool entry_still_true(struct txn *t, const struct txn_entry *e)
{
    if (e->inserted)
        return true;
    struct object *o = object_find(t->store, e->class_id, e->ref);
    struct version *tail = o ? o->tail : NULL;

    if (!e->base)
        return !tail;
    if (!tail || o != e->obj || tail->own_seq != e->base->own_seq)
        return false;
    return !e->rel_read || tail->rel_seq == e->base->rel_seq;
}

static struct error *check_reads(struct txn *t)
{
    for (const struct txn_entry *e = t->entries; e; e = e->next) {
        if (!entry_still_true(t, e))
            return error_api(DB_CONFLICT, 2, classes[e->class_id].name, e->ref);
    }
    for (int i = 0; i < CLASS_MAX; i++) {
        if (t->scanned[i] && t->store->classes[i].member_seq != t->scan_seq[i])
            return error_api(DB_CONFLICT, 2, classes[i].name, "*");
    }
    return NULL;
}

struct work *stage_find(struct commit_stage *st, const char *ref)
{
    return strmap_find(&st->by_ref, ref);
}

struct work *stage_add(struct commit_stage *st, struct object *o)
{
    struct work *w = arena_new(st->arena, struct work);

    w->obj = o;
    *st->last = w;
    st->last = &w->next;
    strmap_set(&st->by_ref, o->ref, w);
    return w;
}

/* Writable, but what its pointers lead to stays where it is: nothing in there is changed in place,
 * and until the lock is given back neither the tail nor the body's copy goes away. A list of a
 * thousand references costs nothing here. */
static void *stage_copy(struct commit_stage *st, const struct object *o, const void *rec)
{
    return arena_memdup(st->arena, rec, classes[o->class_id].info->size);
}

struct work *stage_work(struct commit_stage *st, struct object *o)
{
    struct work *w = stage_find(st, o->ref);

    if (w)
        return w;
    w = stage_add(st, o);
    w->old = o->tail;
    w->rec = stage_copy(st, o, o->tail->rec);
    return w;
}

/*
 * Own fields come from the body's copy, inverse and derived ones from the pending tail: the body's
 * copy of those may be older.
 */
static void stage_edit(struct commit_stage *st, const struct txn_entry *e)
{
    const struct class_info *ci = &classes[e->class_id];
    struct object *o = object_find(st->store, e->class_id, e->ref);
    struct work *w = stage_work(st, o);
    void *tail = w->rec;

    w->rec = stage_copy(st, o, e->edit);
    if (ci->inv_offset < ci->info->size)
        memcpy((char *)w->rec + ci->inv_offset, (char *)tail + ci->inv_offset,
               ci->info->size - ci->inv_offset);
    w->harden = e->harden && o->soft;
    w->touch = e->touch;
}

static void stage_insert(struct commit_stage *st, const struct txn_entry *e)
{
    struct object *o = object_new(st->store, (uint16_t)e->class_id, e->ref);
    struct work *w = stage_add(st, o);

    o->soft = e->soft;
    w->inserted = true;
    w->rec = stage_copy(st, o, e->edit);
}

static struct error *stage_entries(struct commit_stage *st, struct txn *t)
{
    for (const struct txn_entry *e = t->entries; e; e = e->next) {
        if (e->inserted && e->deleted)
            continue;
        if (e->inserted && strmap_find(&st->store->by_ref, e->ref))
            return error_api("INTERNAL_ERROR", 1, "a new object has the reference of another");
        if (e->inserted)
            stage_insert(st, e);
        else if (e->deleted)
            stage_work(st, object_find(st->store, e->class_id, e->ref))->rec = NULL;
        else if (e->edit)
            stage_edit(st, e);
    }
    return NULL;
}

/* Which own fields did change, and is any of them durable? */
static void work_diff(struct work *w)
{
    const struct struct_info *si = classes[w->obj->class_id].info;

    if (w->inserted || !w->rec) {
        w->own_any = true;
        w->hard_any = !w->obj->soft;
        return;
    }
    struct field_mask diff = record_diff(si, w->old->rec, w->rec);

    for (int i = 0; i < si->n; i++) {
        if (!field_mask_has(&diff, i))
            continue;
        if (si->fields[i].flags & (FIELD_INVERSE | FIELD_DERIVED)) {
            w->rel_changed = true;
            continue;
        }
        field_mask_add(&w->own_changed, i);
        w->own_any = true;
        if (si->fields[i].flags & FIELD_STORED)
            w->hard_any = !w->obj->soft;
    }
    if (w->touch)
        w->own_any = true;
    if (w->harden)
        w->own_any = w->hard_any = true;
}

static bool work_counts(const struct work *w)
{
    return w->own_any || w->rel_changed;
}

/* A uuid may be given only once per class. Undone by stage_abort. */
static struct error *claim_uuids(struct commit_stage *st)
{
    for (struct work *w = st->works; w; w = w->next) {
        if (!w->rec || !work_counts(w))
            continue;
        if (!store_map_uuid(st->store, w->obj, w->rec)) {
            return error_api("INTERNAL_ERROR", 1,
                             "the uuid is in use by another object of its class");
        }
    }
    return NULL;
}

static void stage_abort(struct commit_stage *st)
{
    for (struct work *w = st->works; w; w = w->next) {
        if (w->inserted) {
            store_map_uuid(st->store, w->obj, NULL);
            object_unref(w->obj);
        } else if (w->rec) {
            store_map_uuid(st->store, w->obj, w->old->rec);
        }
    }
}

static const char *row_text(struct arena *a, const struct work *w, size_t *ret_len)
{
    _cleanup_str_ struct str text = STR_INIT;
    const char *unknown = w->old ? w->old->unknown : NULL;

    json_add_stored(&text, classes[w->obj->class_id].info, w->rec);
    if (unknown) {
        /* The second has at least one member: join "{a}" and "{b}" to "{a,b}". */
        text.len--;
        if (text.len > 1)
            str_add_char(&text, ',');
        str_add(&text, unknown + 1);
    }
    *ret_len = text.len;
    return arena_memdup0(a, text.s, text.len);
}

static void pending_add_row(struct pending *p, struct db_row *rows, const struct work *w,
                            const struct version *made, bool was_soft)
{
    struct db_row *r = &rows[p->commit.n_rows++];

    *r = (struct db_row){
        .class_name = classes[w->obj->class_id].name,
        .ref = arena_strdup(&p->arena, w->obj->ref),
        .expect = w->old && !was_soft ? w->old->hard_gen : 0,
        .created = made ? made->created_gen : w->old->created_gen,
    };
    if (made)
        r->json = row_text(&p->arena, w, &r->json_len);
}

/* Freezes one work into a version and makes it the object's tail. */
static void seal_work(struct store *s, struct pending *p, struct db_row *rows, struct work *w)
{
    struct object *o = w->obj;
    struct work_done *d = &p->done[p->n_done++];
    struct class_state *c = &s->classes[o->class_id];

    d->obj = o; /* the pending commit takes over the work's reference of an inserted object */
    d->was_soft = o->soft;
    d->old = w->old;
    if (!w->inserted)
        atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    if (w->harden)
        o->soft = false;
    if (w->rec) {
        struct version *v = version_new(o, w->rec, w->old ? w->old->unknown : NULL);

        v->own_seq = w->own_any ? ++s->seq : w->old->own_seq;
        v->rel_seq = w->rel_changed || !w->old ? ++s->seq : w->old->rel_seq;
        v->hard_gen = w->hard_any ? p->commit.generation : w->old ? w->old->hard_gen : 0;
        v->created_gen = w->old && !d->was_soft ? w->old->created_gen : v->hard_gen;
        d->made = v;
    }
    if (w->inserted || !w->rec)
        d->member_seq = c->member_seq = ++s->seq;
    if (w->hard_any)
        pending_add_row(p, rows, w, d->made, d->was_soft);
    if (w->inserted)
        store_map_add(s, o);
    s->bytes += (d->made ? d->made->size : 0) - (d->old ? d->old->size : 0);
    o->tail = d->made; /* counted by d until publication or undo */
    edges_set(s, o, w->rec);
    if (!w->rec)
        store_map_uuid(s, o, NULL);
}

static struct pending *seal(struct commit_stage *st, const struct commit_info *info)
{
    struct store *s = st->store;
    struct pending *p = xnew(struct pending);
    size_t n = 0;

    arena_init(&p->arena);
    for (struct work *w = st->works; w; w = w->next) {
        n += work_counts(w);
        p->has_rows |= w->hard_any;
    }
    p->done = xnew_array(struct work_done, n);
    p->prev_generation = s->generation;
    if (p->has_rows)
        s->generation++;
    struct db_row *rows = arena_array(&p->arena, struct db_row, n);

    p->commit = (struct db_commit){
        .generation = s->generation,
        .time_us = now_us(),
        .who = arena_strdup(&p->arena, info->who),
        .task = arena_strdup(&p->arena, info->task),
        .call = arena_strdup(&p->arena, info->call),
        .rows = rows,
    };
    for (struct work *w = st->works; w; w = w->next) {
        if (work_counts(w))
            seal_work(s, p, rows, w);
    }
    return p;
}

/* What only readers of this run see may change in a damaged store too. */
static struct error *check_writable(const struct commit_stage *st)
{
    for (const struct work *w = st->works; w; w = w->next)
        if (w->hard_any)
            return store_refusal(st->store);
    return NULL;
}

static struct error *stage_all(struct commit_stage *st, struct txn *t,
                               const struct commit_info *info)
{
    TRY(check_reads(t));
    TRY(stage_entries(st, t));
    TRY(stage_deletions(st));
    TRY(stage_check_refs(st));
    for (struct work *w = st->works; w; w = w->next)
        work_diff(w);
    TRY(check_writable(st));
    if (info->bounded)
        TRY(stage_check_limits(st));
    stage_inverse(st);
    stage_derive(st);
    return claim_uuids(st);
}

/* Lock held. *ret: what is to be published, or NULL. */
static struct error *commit_locked(struct txn *t, const struct commit_info *info,
                                   struct pending **ret)
{
    struct commit_stage st = {.store = t->store, .arena = t->arena};

    st.last = &st.works;
    struct error *e = stage_all(&st, t, info);
    struct pending *p = NULL;

    if (e) {
        stage_abort(&st);
        t->store->stats.conflicts += error_is(e, DB_CONFLICT);
    } else {
        p = seal(&st, info);
    }
    strmap_fini(&st.by_ref);
    if (e)
        return e;
    if (p->n_done) {
        t->store->stats.commits++;
        *ret = p;
    } else {
        pending_free(p);
    }
    return NULL;
}

struct error *txn_commit(struct txn *t, const struct commit_info *info)
{
    struct pending *p = NULL;

    pthread_mutex_lock(&t->store->lock);
    turn_await(t->store);
    struct error *e = commit_locked(t, info, &p);

    /* Let the winner be published. While it only waits for its turn to flush, nothing flushes yet,
     * and trying again at once would find the same conflict. */
    if (error_is(e, DB_CONFLICT) && (t->store->flushing || !list_empty(&t->store->queue)))
        pthread_cond_wait(&t->store->flushed, &t->store->lock);
    if (p)
        return publish_pending(t->store, p);
    pthread_mutex_unlock(&t->store->lock);
    return e;
}

struct error *txn_commit_later(struct txn *t, const struct commit_info *info,
                               struct commit_later *l, bool *ret_later)
{
    struct pending *p = NULL;

    *ret_later = false;
    pthread_mutex_lock(&t->store->lock);
    struct error *e =
        turn_is_taken(t->store) ? error_api(DB_CONFLICT, 2, "", "") : commit_locked(t, info, &p);

    if (p) {
        p->later = l;
        *ret_later = publish_later(t->store, p);
    } else {
        pthread_mutex_unlock(&t->store->lock);
    }
    return e;
}
