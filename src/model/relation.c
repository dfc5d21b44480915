/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * References between objects: the index of who refers to whom, what a deletion does to those who
 * refer to the deleted, the check that every reference leads somewhere, and the inverse sets that
 * mirror them.
 */
#include "model/store_priv.h"

void record_each_ref(const struct struct_info *si, const void *rec, void *ctx,
                     void (*fn)(void *ctx, int field, const char *ref))
{
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (f->flags & (FIELD_INVERSE | FIELD_DERIVED))
            continue;
        if (f->type->kind == K_REF) {
            fn(ctx, i, *(const char *const *)field_at(f, rec));
        } else if (f->type->kind == K_SET && f->type->elem->kind == K_REF) {
            struct set set = *(const struct set *)field_at(f, rec); /* fn may replace it */

            for (size_t k = 0; k < set.n; k++)
                fn(ctx, i, ((const char *const *)set.v)[k]);
        }
    }
}

struct edge_list {
    struct store *store;
    struct VEC(struct edge) list;
    struct object *src;
};

static void collect_edge(void *ctx, int field, const char *ref)
{
    struct edge_list *l = ctx;

    if (ref_is_null(ref))
        return;
    struct object *dst = strmap_find(&l->store->by_ref, ref);

    if (dst)
        vec_add(&l->list, (struct edge){.src = l->src, .dst = dst, .field = field});
}

static bool edges_equal(const struct object *o, const struct edge_list *l)
{
    if (o->n_out != l->list.n)
        return false;
    for (size_t i = 0; i < o->n_out; i++)
        if (o->out[i].dst != l->list.v[i].dst || o->out[i].field != l->list.v[i].field)
            return false;
    return true;
}

void edges_set(struct store *s, struct object *o, const void *rec)
{
    struct edge_list l = {.store = s, .src = o};

    if (rec)
        record_each_ref(classes[o->class_id].info, rec, &l, collect_edge);
    if (edges_equal(o, &l)) {
        vec_fini(&l.list);
        return;
    }
    for (size_t i = 0; i < o->n_out; i++)
        list_remove(&o->out[i].in_link);
    free(o->out);
    o->out = l.list.v;
    o->n_out = l.list.n;
    for (size_t i = 0; i < o->n_out; i++) {
        list_init(&o->out[i].in_link);
        list_append(&o->out[i].dst->in, &o->out[i].in_link);
    }
}

static bool record_holds(const struct field *f, const void *rec, const char *ref)
{
    if (f->type->kind == K_REF)
        return streq(*(const char *const *)field_at(f, rec), ref);
    const struct set *set = field_at(f, rec);

    for (size_t i = 0; i < set->n; i++)
        if (streq(((const char *const *)set->v)[i], ref))
            return true;
    return false;
}

static void set_without(struct arena *a, struct set *set, const char *ref)
{
    const char **v = arena_array(a, const char *, set->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++) {
        const char *r = ((const char *const *)set->v)[i];

        if (!streq(r, ref))
            v[n++] = r;
    }
    *set = (struct set){.n = n, .v = v};
}

static void set_with(struct arena *a, struct set *set, const char *ref)
{
    const char **v = arena_array(a, const char *, set->n + 1);

    if (set->n)
        memcpy(v, set->v, set->n * sizeof(*v));
    v[set->n] = ref;
    *set = (struct set){.n = set->n + 1, .v = v};
}

static void record_drop_ref(struct arena *a, const struct field *f, void *rec, const char *ref)
{
    void *at = field_at_mut(f, rec);

    if (f->type->kind == K_REF)
        *(const char **)at = REF_NULL;
    else
        set_without(a, at, ref);
}

/* One object that refers to a deleted one, through one field. */
static struct error *follow_deletion(struct commit_stage *st, struct object *src,
                                     const struct field *f, const struct work *gone)
{
    struct work *w = stage_find(st, src->ref);

    if (w ? !w->rec || !record_holds(f, w->rec, gone->obj->ref) : !src->tail)
        return NULL;
    switch ((enum on_delete)f->on_delete) {
    case ON_DELETE_KEEP:
        return NULL;
    case ON_DELETE_REFUSE:
        return error_detail(error_api("OBJECT_NOLONGER_EXISTS", 0), "%s %s is in use by %s %s (%s)",
                            classes[gone->obj->class_id].name, gone->obj->ref,
                            classes[src->class_id].name, src->ref, f->name);
    case ON_DELETE_CASCADE:
        stage_work(st, src)->rec = NULL;
        return NULL;
    case ON_DELETE_NULL:
        w = stage_work(st, src);
        record_drop_ref(st->arena, f, w->rec, gone->obj->ref);
        return NULL;
    }
    return NULL;
}

/* Works appended while walking (cascades) are walked too: the list grows at its end. */
struct error *stage_deletions(struct commit_stage *st)
{
    for (struct work *w = st->works; w; w = w->next) {
        struct edge *e;

        if (w->rec || w->inserted)
            continue;
        list_foreach (e, &w->obj->in, in_link) {
            TRY(follow_deletion(st, e->src, &classes[e->src->class_id].info->fields[e->field], w));
        }
    }
    return NULL;
}

struct ref_check {
    struct commit_stage *st;
    struct work *work;
    struct error *error;
};

static bool target_lives(struct commit_stage *st, enum class_id class_id, const char *ref)
{
    const struct work *w = stage_find(st, ref);

    if (w)
        return w->rec && w->obj->class_id == class_id;
    const struct object *o = object_find(st->store, class_id, ref);

    return o && o->tail;
}

static void check_ref(void *ctx, int field, const char *ref)
{
    struct ref_check *c = ctx;
    struct work *w = c->work;
    const struct field *f = &classes[w->obj->class_id].info->fields[field];
    const struct type *t = f->type->kind == K_SET ? f->type->elem : f->type;

    if (c->error || streq(ref, REF_NULL) || f->on_delete == ON_DELETE_KEEP)
        return;
    if (w->old && record_holds(f, w->old->rec, ref) && !stage_find(c->st, ref))
        return; /* held before, and nothing happens to it here */
    if (*ref && target_lives(c->st, t->class_id, ref))
        return;
    if (!*ref || f->bad_ref_is_null)
        record_drop_ref(c->st->arena, f, w->rec, ref);
    else
        c->error = error_api("HANDLE_INVALID", 2, classes[t->class_id].name, ref);
}

struct error *stage_check_refs(struct commit_stage *st)
{
    for (struct work *w = st->works; w; w = w->next) {
        struct ref_check c = {.st = st, .work = w};

        if (!w->rec)
            continue;
        record_each_ref(classes[w->obj->class_id].info, w->rec, &c, check_ref);
        if (c.error)
            return c.error;
    }
    return NULL;
}

struct inverse_ctx {
    struct commit_stage *st;
    const struct object *src;
    const void *other; /* the record on the other side of the change */
    bool add;
};

/* A reference that only one of the old and new record holds: mirror it at its target. */
static void mirror_ref(void *ctx, int field, const char *ref)
{
    struct inverse_ctx *c = ctx;
    const struct field *f = &classes[c->src->class_id].info->fields[field];

    if (f->inverse < 0 || ref_is_null(ref) || (c->other && record_holds(f, c->other, ref)))
        return;
    struct work *w = stage_find(c->st, ref);
    struct object *target = w ? w->obj : object_find(c->st->store, f->inverse_class, ref);

    if (!target || (w && !w->rec) || (!w && !target->tail))
        return;
    if (!w)
        w = stage_work(c->st, target);
    struct set *set = field_at_mut(&classes[f->inverse_class].info->fields[f->inverse], w->rec);

    if (c->add)
        set_with(c->st->arena, set, c->src->ref);
    else
        set_without(c->st->arena, set, c->src->ref);
    field_mask_add(&w->own_changed, f->inverse); /* for derive.c: a hop changed */
    w->rel_changed = true;
}

void stage_inverse(struct commit_stage *st)
{
    /* Works made here hold only inverse changes and need no mirroring of their own. */
    struct work *end = NULL;

    for (struct work *w = st->works; w; w = w->next)
        end = w;
    for (struct work *w = st->works; w; w = w->next) {
        const struct struct_info *si = classes[w->obj->class_id].info;
        const void *old = w->old ? w->old->rec : NULL;
        struct inverse_ctx c = {.st = st, .src = w->obj, .other = w->rec};

        if (old)
            record_each_ref(si, old, &c, mirror_ref);
        c.other = old;
        c.add = true;
        if (w->rec)
            record_each_ref(si, w->rec, &c, mirror_ref);
        if (w == end)
            break;
    }
}
