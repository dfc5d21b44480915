/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Derived fields. At start the dependency paths of all classes are turned around: per changed
 * field, who must be looked at. A commit walks back from what it changed to the owners, computes
 * just those fields on the staged state, and counts an owner as changed only if the value differs.
 */
#include "model/store_priv.h"
#include "model/view.h"

const void *view_find(const struct view *v, enum class_id class_id, const char *ref)
{
    if (v->txn)
        return txn_view_find(v->txn, class_id, ref);
    const struct work *w = stage_find(v->stage, ref);

    if (w)
        return w->obj->class_id == class_id ? w->rec : NULL;
    if (ref_is_null(ref))
        return NULL;
    const struct object *o = object_find(v->store, class_id, ref);

    return o && o->tail ? o->tail->rec : NULL;
}

/* Rows of commits that wait for the disk are not linked into their class yet. */
static const void *search_queued(const struct view *v, enum class_id class_id,
                                 bool (*match)(const void *rec, const void *key), const void *key)
{
    struct pending *p;

    list_foreach (p, &v->store->queue, link) {
        for (size_t i = 0; i < p->n_done; i++) {
            const struct object *o = p->done[i].obj;

            if (o->class_id != class_id || p->done[i].old)
                continue;
            const void *rec = view_find(v, class_id, o->ref);

            if (rec && (!match || match(rec, key)))
                return rec;
        }
    }
    return NULL;
}

const void *view_search(const struct view *v, enum class_id class_id,
                        bool (*match)(const void *rec, const void *key), const void *key)
{
    struct object *o;

    if (v->txn)
        return txn_view_search(v->txn, class_id, match, key);
    list_foreach (o, &v->store->classes[class_id].all, all) {
        const void *rec = view_find(v, class_id, o->ref);

        if (rec && (!match || match(rec, key)))
            return rec;
    }
    const void *queued = search_queued(v, class_id, match, key);

    if (queued)
        return queued;
    for (const struct work *w = v->stage ? v->stage->works : NULL; w; w = w->next)
        if (w->inserted && w->rec && w->obj->class_id == class_id && (!match || match(w->rec, key)))
            return w->rec;
    return NULL;
}

static void dependents_add(struct store *s, int owner, int derived, const struct dep_path *p)
{
    struct dependents **per_class = &s->dependents[p->last.class_id];
    size_t n = (size_t)classes[p->last.class_id].info->n;

    if (!*per_class)
        *per_class = xnew_array(struct dependents, n);
    struct dependents *d = &(*per_class)[p->last.field];

    vec_add(d, (struct dependent){.owner_class = (uint16_t)owner,
                                  .derived = (int16_t)derived,
                                  .n_hops = p->n_hops,
                                  .hops = p->hops,
                                  .key = p->key,
                                  .global = !p->n_hops && p->last.class_id != owner});
}

void dependents_build(struct store *s)
{
    for (int c = 1; c < CLASS_MAX; c++)
        for (int d = 0; d < classes[c].n_derived; d++)
            for (int p = 0; p < classes[c].derived[d].n_paths; p++)
                dependents_add(s, c, d, &classes[c].derived[d].paths[p]);
}

void dependents_free(struct store *s)
{
    for (int c = 0; c < CLASS_MAX; c++) {
        for (int f = 0; s->dependents[c] && f < classes[c].info->n; f++)
            vec_fini(&s->dependents[c][f]);
        free(s->dependents[c]);
    }
}

static void walk_back(struct commit_stage *st, struct object *o, const struct dependent *d,
                      int hop);

static void walk_from(struct commit_stage *st, const char *ref, uint16_t class_id,
                      const struct dependent *d, int hop)
{
    struct object *o = object_find(st->store, class_id, ref);
    const struct work *w = stage_find(st, ref);

    if (!o && w)
        o = w->obj;
    if (o && (w ? w->rec != NULL : o->tail != NULL))
        walk_back(st, o, d, hop);
}

/* From an object reached after `hop` hops to the objects one hop nearer to the owner. */
static void walk_back(struct commit_stage *st, struct object *o, const struct dependent *d, int hop)
{
    if (hop == 0) {
        stage_work(st, o)->derive_mask |= (uint64_t)1 << d->derived;
        return;
    }
    const struct dep_step *step = &d->hops[hop - 1];
    const struct field *f = &classes[step->class_id].info->fields[step->field];

    if (f->flags & FIELD_INVERSE) {
        /* owner.VBDs holds o because o.VM refers to the owner. */
        const struct field *ref = &classes[o->class_id].info->fields[f->inverse];
        const struct work *w = stage_find(st, o->ref);
        const void *rec = w ? w->rec : o->tail->rec;

        if (ref->type->kind == K_REF) {
            walk_from(st, *(const char *const *)field_at(ref, rec), step->class_id, d, hop - 1);
            return;
        }
        const struct set *set = field_at(ref, rec);

        for (size_t i = 0; i < set->n; i++)
            walk_from(st, ((const char *const *)set->v)[i], step->class_id, d, hop - 1);
        return;
    }
    struct edge *e;

    /* A hop changed by this very commit is a dependency of its own and walked from there. */
    list_foreach (e, &o->in, in_link) {
        if (e->field == step->field && e->src->class_id == step->class_id)
            walk_from(st, e->src->ref, step->class_id, d, hop - 1);
    }
}

/* A change of a row that concerns all objects of another class ("@pool.ha_enabled"). */
static void mark_all(struct commit_stage *st, const struct dependent *d)
{
    size_t pos = 0;
    struct object *o;

    while ((o = strmap_next(&st->store->by_ref, &pos, NULL))) {
        if (o->class_id != d->owner_class)
            continue;
        const struct work *w = stage_find(st, o->ref);

        if (w ? w->rec != NULL : o->tail != NULL)
            walk_back(st, o, d, 0);
    }
}

/* The value of a key of a map:string:T, NULL if it is absent. */
static const void *map_value(const struct type *t, const struct map *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(((const char *const *)m->k)[i], key))
            return (const char *)m->v + i * t->elem->size;
    return NULL;
}

/* Did the part of the field that the dependency names change? */
static bool concerns(const struct dependent *d, const struct field *f, const struct work *w)
{
    if (!d->key || w->inserted)
        return true;
    const void *before = map_value(f->type, field_at(f, w->old->rec), d->key);
    const void *after = map_value(f->type, field_at(f, w->rec), d->key);

    if (!before || !after)
        return before != after;
    return !value_equal(f->type->elem, before, after);
}

static void mark_dependents(struct commit_stage *st, struct work *w)
{
    const struct dependents *per_field = st->store->dependents[w->obj->class_id];
    const struct class_info *ci = &classes[w->obj->class_id];

    if (w->inserted)
        w->derive_mask = ci->n_derived ? ~(uint64_t)0 >> (64 - ci->n_derived) : 0;
    if (!per_field || !w->rec)
        return;
    for (int i = 0; i < ci->info->n; i++) {
        if (!w->inserted && !field_mask_has(&w->own_changed, i))
            continue;
        for (size_t k = 0; k < per_field[i].n; k++) {
            const struct dependent *d = &per_field[i].v[k];

            if (!concerns(d, &ci->info->fields[i], w))
                continue;
            if (d->global)
                mark_all(st, d);
            else
                walk_back(st, w->obj, d, d->n_hops);
        }
    }
}

static void derive_one(const struct view *v, struct arena *a, const struct class_info *ci,
                       const struct derived *d, void *rec, bool *ret_changed)
{
    const struct field *f = &ci->info->fields[d->field];
    void *fresh = arena_zalloc(a, f->type->size);

    value_zero(f->type, fresh);
    d->derive(v, a, rec, fresh);
    if (value_equal(f->type, fresh, field_at(f, rec)))
        return;
    memcpy(field_at_mut(f, rec), fresh, f->type->size);
    *ret_changed = true;
}

void derive_all(const struct view *v, struct arena *a, const struct class_info *ci, void *rec)
{
    bool changed = false;

    for (int i = 0; i < ci->n_derived; i++)
        derive_one(v, a, ci, &ci->derived[i], rec, &changed);
}

void stage_derive(struct commit_stage *st)
{
    const struct view v = {.store = st->store, .stage = st};

    /* Owners found on the way are appended; they changed nothing themselves. */
    for (struct work *w = st->works; w; w = w->next)
        mark_dependents(st, w);
    for (struct work *w = st->works; w; w = w->next) {
        const struct class_info *ci = &classes[w->obj->class_id];

        for (int i = 0; w->rec && i < ci->n_derived; i++)
            if (w->derive_mask >> i & 1) {
                st->store->stats.derivations++;
                derive_one(&v, st->arena, ci, &ci->derived[i], w->rec, &w->rel_changed);
            }
    }
}
