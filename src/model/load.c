/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening: rows of the database become objects. Nothing is written. Rows of classes this program
 * does not know stay where they are; members it does not know travel with the version.
 */
#include "base/world.h"
#include "model/soft.h"
#include "model/soft_rows.h"
#include "model/store_priv.h"
#include "value/json.h"

#include <inttypes.h>

struct loaded {
    struct work *work;
    uint64_t generation; /* 0 = soft */
    uint64_t created;
    uint64_t stamp; /* as the last run told it, 0 = not told yet */
    uint64_t created_stamp;
    bool known; /* to the last run */
    const char *unknown;
};

struct load {
    struct store *store;
    const struct store_notes *notes;
    struct commit_stage stage;
    struct arena arena;
    struct VEC(struct loaded) rows;
    size_t dangling;
    struct strmap by_ref; /* -> index in rows + 1; only with notes->soft */
    uint64_t told;        /* generation up to which the last run has told */
};

static struct error *decode_row(struct load *l, enum class_id class_id, const char *ref,
                                const char *json, size_t len, struct loaded *row, void **ret)
{
    _cleanup_json_ json_t *j = NULL;
    const struct class_info *ci = &classes[class_id];
    const char **rec = record_new(&l->arena, ci->info);

    if (record_from_row(&l->arena, ci->info, json, len, rec)) {
        rec[0] = ref;
        *ret = rec;
        return NULL;
    }
    rec = record_new(&l->arena, ci->info);
    _cleanup_json_ json_t *unknown = json_object();

    TRY(json_parse(json, len, &j));
    TRY(record_from_json(&l->arena, ci->info, j, rec, unknown));
    if (json_object_size(unknown)) {
        _cleanup_free_ char *text = json_dumps(unknown, JSON_COMPACT);

        row->unknown = arena_strdup(&l->arena, text);
    }
    rec[0] = ref;
    *ret = rec;
    return NULL;
}

static void tell_damaged(void *ctx, const char *class_name, const char *ref, const char *why)
{
    struct load *l = ctx;
    _cleanup_free_ char *text =
        xasprintf("%s %s cannot be read: %s", *class_name ? class_name : "object", ref, why);

    if (l->notes->warn)
        l->notes->warn(l->notes->ctx, text);
    if (l->notes->damaged)
        l->notes->damaged(l->notes->ctx, class_name, ref, why);
}

/* A row that makes no sense. Takes the error. */
static struct error *unreadable(struct load *l, const char *class_name, const char *ref,
                                struct error *e)
{
    _cleanup_error_ struct error *why = e;
    _cleanup_free_ char *text = error_string(e);

    if (l->store->read_only) {
        tell_damaged(l, class_name, ref, text);
        return NULL;
    }
    _cleanup_free_ char *what = xasprintf("%s %s: %s", class_name, ref, text);

    return error_api(DB_DAMAGED, 1, what);
}

/* Takes the object over. */
static struct error *add_row(struct load *l, struct object *o, void *rec, struct loaded row)
{
    if (!store_map_uuid(l->store, o, rec)) {
        object_unref(o);
        return error_text("its uuid is in use by another row");
    }
    store_map_add(l->store, o);
    object_unref(o); /* the map keeps it */
    row.work = stage_add(&l->stage, o);
    row.work->inserted = true;
    row.work->rec = rec;
    vec_add(&l->rows, row);
    if (l->notes->soft)
        strmap_set(&l->by_ref, o->ref, (void *)(uintptr_t)l->rows.n);
    return NULL;
}

static struct error *load_row(void *ctx, const char *class_name, const char *ref,
                              uint64_t generation, uint64_t created, const char *json, size_t len)
{
    struct load *l = ctx;
    enum class_id class_id = class_find(class_name);
    struct loaded row = {.generation = generation, .created = created};
    void *rec = NULL;

    if (class_id == CLASS_NONE) {
        if (l->notes->unknown)
            l->notes->unknown(l->notes->ctx, class_name, ref);
        return NULL;
    }
    struct object *o = object_new(l->store, (uint16_t)class_id, ref);
    struct error *e = decode_row(l, class_id, o->ref, json, len, &row, &rec);

    if (e)
        object_unref(o);
    else
        e = add_row(l, o, rec, row);
    return e ? unreadable(l, class_name, ref, e) : NULL;
}

/* What the last run said of an object of the database. One that was changed after that, by a
 * program that failed to take over, is told as new. */
static struct error *resume_row(struct load *l, const struct soft_object *so)
{
    size_t at = (size_t)(uintptr_t)strmap_find(&l->by_ref, so->ref);
    struct loaded *row = at ? &l->rows.v[at - 1] : NULL;

    if (!row || row->work->obj->class_id != so->class_id)
        return NULL;
    row->known = true;
    row->created_stamp = so->created_stamp;
    if (row->generation <= l->told && !l->notes->retell)
        row->stamp = so->stamp;
    return so->fields ? record_from_json(&l->arena, classes[so->class_id].info, so->fields,
                                         row->work->rec, NULL)
                      : NULL;
}

static struct error *resume_soft(struct load *l, const struct soft_object *so)
{
    const struct class_info *ci = &classes[so->class_id];
    struct loaded row = {.known = true,
                         .stamp = l->notes->retell ? 0 : so->stamp,
                         .created_stamp = so->created_stamp};
    const char **rec = record_new(&l->arena, ci->info);

    if (strmap_find(&l->by_ref, so->ref))
        return NULL; /* hardened by a program that failed to take over */
    if (so->fields)
        TRY(record_from_json(&l->arena, ci->info, so->fields, rec, NULL));
    struct object *o = object_new(l->store, (uint16_t)so->class_id, so->ref);

    o->soft = true;
    rec[0] = o->ref;
    return add_row(l, o, rec, row);
}

static struct error *resume_each(struct load *l, const char *list,
                                 struct error *(*fn)(struct load *l, const struct soft_object *so))
{
    json_t *j;
    size_t i;

    json_array_foreach (json_object_get(l->notes->soft, list), i, j) {
        struct soft_object so;

        TRY(soft_read_object(j, &so));
        TRY(fn(l, &so));
    }
    return NULL;
}

static struct error *load_tombstone(void *ctx, const char *class_name, const char *ref,
                                    uint64_t generation, uint64_t created)
{
    struct load *l = ctx;
    struct tombstone t = {.generation = generation,
                          .created_gen = created,
                          .class_id = (uint16_t)class_find(class_name)};

    if (t.class_id == CLASS_NONE || (l->notes->soft && generation <= l->told))
        return NULL;
    if (l->notes->soft)
        t.stamp = ++l->store->stamp;
    snprintf(t.ref, sizeof(t.ref), "%s", ref);
    feed_tombstone(l->store, &t);
    return NULL;
}

static void push_inverse(struct arena *a, struct set *set, const char *ref)
{
    /* Room doubles: this array was made here and is full exactly when n is a power of two. */
    if (!(set->n & (set->n - 1))) {
        const char **v = arena_array(a, const char *, set->n ? set->n * 2 : 1);

        if (set->n)
            memcpy(v, set->v, set->n * sizeof(*v));
        set->v = v;
    }
    ((const char **)(uintptr_t)set->v)[set->n++] = ref;
}

struct link_ctx {
    struct load *load;
    struct work *work;
};

/* Mirrors one reference at its target; one that leads nowhere is nulled. */
static void link_ref(void *ctx, int field, const char *ref)
{
    const struct link_ctx *c = ctx;
    const struct field *f = &classes[c->work->obj->class_id].info->fields[field];
    const struct type *t = f->type->kind == K_SET ? f->type->elem : f->type;

    if (ref_is_null(ref))
        return;
    struct work *target = stage_find(&c->load->stage, ref);

    if (!target || target->obj->class_id != t->class_id) {
        if (f->on_delete == ON_DELETE_KEEP)
            return;
        c->load->dangling++;
        if (c->load->notes->dangling)
            c->load->notes->dangling(c->load->notes->ctx, c->work->obj->class_id, c->work->obj->ref,
                                     f->name, ref);
        void *at = field_at_mut(f, c->work->rec);

        if (f->type->kind == K_REF)
            *(const char **)at = REF_NULL;
        return;
    }
    if (f->inverse >= 0) {
        const struct field *inv = &classes[f->inverse_class].info->fields[f->inverse];

        push_inverse(&c->load->arena, field_at_mut(inv, target->rec), c->work->obj->ref);
    }
}

static int by_created(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;

    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return strcmp(x->work->obj->ref, y->work->obj->ref);
}

/* The order of the feed: what was told, as it was told; then the rest. */
static int by_change(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;

    if (!x->stamp != !y->stamp)
        return x->stamp ? -1 : 1;
    if (x->stamp != y->stamp)
        return x->stamp < y->stamp ? -1 : 1;
    if (x->generation != y->generation)
        return x->generation < y->generation ? -1 : 1;
    return by_created(a, b);
}

static void load_finish_row(struct store *s, const struct loaded *row, bool resumed)
{
    struct object *o = row->work->obj;
    struct version *v = version_new(o, row->work->rec, row->unknown);

    v->hard_gen = row->generation;
    v->created_gen = row->created;
    v->own_seq = ++s->seq;
    v->rel_seq = ++s->seq;
    v->stamp = row->stamp ? row->stamp : ++s->stamp;
    o->created_stamp = row->created_stamp;
    if (resumed && !row->known)
        o->created_stamp = v->stamp;
    s->bytes += v->size;
    o->head = o->tail = v;
    list_append(&s->classes[o->class_id].changed, &o->change);
}

static void load_finish(struct load *l)
{
    struct store *s = l->store;
    const struct view view = {.store = s, .stage = &l->stage};

    if (!l->rows.n)
        return;
    qsort(l->rows.v, l->rows.n, sizeof(*l->rows.v), by_created);
    vec_foreach (row, &l->rows) {
        struct link_ctx c = {.load = l, .work = row->work};

        list_append(&s->classes[row->work->obj->class_id].all, &row->work->obj->all);
        s->classes[row->work->obj->class_id].n++;
        record_each_ref(classes[row->work->obj->class_id].info, row->work->rec, &c, link_ref);
    }
    vec_foreach (row, &l->rows)
        derive_all(&view, &l->arena, &classes[row->work->obj->class_id], row->work->rec);
    qsort(l->rows.v, l->rows.n, sizeof(*l->rows.v), by_change);
    vec_foreach (row, &l->rows)
        load_finish_row(s, row, l->notes->soft != NULL);
    vec_foreach (row, &l->rows)
        edges_set(s, row->work->obj, row->work->rec);
}

static struct store *store_new(struct db *db)
{
    struct store *s = xnew(struct store);
    pthread_mutexattr_t attr;

    limits_init(s);
    /* Held for microseconds and by many: spinning a little is cheaper than sleeping. */
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&s->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_cond_init(&s->flushed, NULL);
    pthread_cond_init(&s->turn_given, NULL);
    committer_init(&s->committer);
    list_init(&s->queue);
    for (int i = 0; i < CLASS_MAX; i++)
        feed_init(&s->classes[i]);
    s->db = db;
    if (db->read_only)
        store_set_read_only(s, db->read_only);
    while (!s->epoch)
        world->random(&s->epoch, sizeof(s->epoch));
    dependents_build(s);
    return s;
}

static void warn_dangling(const struct load *l)
{
    _cleanup_free_ char *text = NULL;

    if (!l->dangling || !l->notes->warn)
        return;
    text = xasprintf("%zu references in the database led nowhere and count as null", l->dangling);
    l->notes->warn(l->notes->ctx, text);
}

static void open_soft_rows(struct load *l)
{
    const char *path = l->notes->soft_rows;
    _cleanup_error_ struct error *e =
        path ? soft_rows_open(path, l->store, &l->store->soft_rows) : NULL;
    _cleanup_free_ char *text = e ? error_string(e) : NULL;

    if (e && l->notes->warn)
        l->notes->warn(l->notes->ctx, text);
}

static struct error *load_all(struct load *l)
{
    const struct db_loader loader = {
        .ctx = l, .row = load_row, .tombstone = load_tombstone, .damaged = tell_damaged};
    const json_t *soft = l->notes->soft;

    if (soft) {
        l->told = (uint64_t)json_integer_value(json_object_get(soft, "generation"));
        soft_read_head(l->store, soft);
        soft_read_tombstones(l->store, soft);
    }
    TRY(db_load(l->store->db, &loader, &l->store->generation));
    TRY(resume_each(l, "objects", resume_row));
    return resume_each(l, "soft", resume_soft);
}

struct error *store_open(struct db *db, const struct store_notes *notes, struct store **ret)
{
    static const struct store_notes none;
    struct store *s = store_new(db);
    struct load l = {.store = s, .notes = notes ? notes : &none};

    arena_init(&l.arena);
    l.stage = (struct commit_stage){.store = s, .arena = &l.arena};
    l.stage.last = &l.stage.works;
    struct error *e = load_all(&l);

    s->published_generation = s->generation;
    load_finish(&l);
    if (!e)
        open_soft_rows(&l);
    warn_dangling(&l);
    strmap_fini(&l.stage.by_ref);
    strmap_fini(&l.by_ref);
    vec_fini(&l.rows);
    arena_fini(&l.arena);
    if (e) {
        store_close(s);
        return e;
    }
    *ret = s;
    return NULL;
}
