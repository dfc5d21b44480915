/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a body does before it commits: pinned reads and private copies. */
#include "base/uuid.h"
#include "model/txn_priv.h"

struct txn *txn_new(struct store *store, struct arena *arena)
{
    struct txn *t = xnew(struct txn);

    t->store = store;
    t->arena = arena;
    t->last = &t->entries;
    t->view = (struct view){.store = store, .txn = t};
    return t;
}

void txn_free(struct txn *t)
{
    if (!t)
        return;
    for (struct txn_entry *e = t->entries; e; e = e->next) {
        version_unref(e->base);
        object_unref(e->obj);
    }
    strmap_fini(&t->by_ref);
    free(t);
}

struct arena *txn_arena(struct txn *t)
{
    return t->arena;
}

struct store *txn_store(struct txn *t)
{
    return t->store;
}

bool txn_has_writes(const struct txn *t)
{
    return t->has_writes;
}

static struct txn_entry *entry_add(struct txn *t, enum class_id class_id, const char *ref)
{
    struct txn_entry *e = arena_new(t->arena, struct txn_entry);

    e->class_id = class_id;
    e->ref = ref;
    *t->last = e;
    t->last = &e->next;
    strmap_set(&t->by_ref, e->ref, e);
    return e;
}

/* Lock held. Takes a counted pin of what is published. */
static struct txn_entry *entry_pin(struct txn *t, struct object *o)
{
    struct txn_entry *e = entry_add(t, o->class_id, o->ref);

    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    e->obj = o;
    e->base = version_ref(o->head);
    return e;
}

/* The entry of a reference; absent objects get one too, so that their absence is watched. */
static struct txn_entry *entry_of(struct txn *t, enum class_id class_id, const char *ref)
{
    struct txn_entry *e = strmap_find(&t->by_ref, ref);

    if (e)
        return e->class_id == class_id ? e : NULL;
    if (ref_is_null(ref))
        return NULL;
    pthread_mutex_lock(&t->store->lock);
    struct object *o = object_find(t->store, class_id, ref);

    if (o && o->head)
        e = entry_pin(t, o);
    pthread_mutex_unlock(&t->store->lock);
    if (!e)
        e = entry_add(t, class_id, arena_strdup(t->arena, ref));
    return e;
}

static const void *entry_rec(const struct txn_entry *e)
{
    if (!e || e->deleted)
        return NULL;
    if (e->edit)
        return e->edit;
    return e->base ? e->base->rec : NULL;
}

const void *txn_find(struct txn *t, enum class_id class_id, const char *ref)
{
    return entry_rec(entry_of(t, class_id, ref));
}

static struct error *handle_invalid(enum class_id class_id, const char *ref)
{
    return error_api("HANDLE_INVALID", 2, classes[class_id].name, ref);
}

const void *txn_view_find(struct txn *t, enum class_id class_id, const char *ref)
{
    struct txn_entry *e = entry_of(t, class_id, ref);

    if (e)
        e->rel_read = true;
    return entry_rec(e);
}

const struct view *txn_view(struct txn *t)
{
    return &t->view;
}

struct error *txn_read(struct txn *t, enum class_id class_id, const char *ref, const void **ret)
{
    const void *rec = txn_find(t, class_id, ref);

    if (!rec)
        return handle_invalid(class_id, ref);
    *ret = rec;
    return NULL;
}

const void *txn_find_uuid(struct txn *t, enum class_id class_id, const char *uuid)
{
    _cleanup_version_ struct version *v = store_find_uuid(t->store, class_id, uuid);

    /* Uniqueness is checked again at commit; absence needs no watch. */
    return v ? txn_find(t, class_id, arena_strdup(t->arena, version_ref_text(v))) : NULL;
}

struct error *txn_read_uuid(struct txn *t, enum class_id class_id, const char *uuid,
                            const void **ret)
{
    const void *rec = txn_find_uuid(t, class_id, uuid);

    if (!rec)
        return error_api("UUID_INVALID", 2, classes[class_id].name, uuid);
    *ret = rec;
    return NULL;
}

/* What a body may change is its own. Inverse and derived fields are the commit's: they stay in the
 * version, which the entry pins. */
static void *own_copy(struct txn *t, const struct class_info *ci, const void *rec)
{
    char *copy = arena_memdup(t->arena, rec, ci->info->size);

    *(const char **)copy = arena_strdup(t->arena, *(const char *const *)rec);
    for (int i = 0; i < ci->info->n; i++) {
        const struct field *f = &ci->info->fields[i];

        if (f->offset < ci->inv_offset)
            value_copy(t->arena, f->type, copy + f->offset, field_at(f, rec));
    }
    return copy;
}

struct error *txn_edit(struct txn *t, enum class_id class_id, const char *ref, void **ret)
{
    struct txn_entry *e = entry_of(t, class_id, ref);

    if (!entry_rec(e))
        return handle_invalid(class_id, ref);
    if (!e->edit) {
        e->edit = own_copy(t, &classes[class_id], e->base->rec);
        t->has_writes = true;
    }
    *ret = e->edit;
    return NULL;
}

struct error *txn_touch(struct txn *t, enum class_id class_id, const char *ref)
{
    void *rec;

    TRY(txn_edit(t, class_id, ref, &rec));
    entry_of(t, class_id, ref)->touch = true;
    return NULL;
}

static void *insert(struct txn *t, enum class_id class_id, bool soft)
{
    const struct class_info *ci = &classes[class_id];
    struct ref_text r = ref_random();
    char *ref = arena_strdup(t->arena, r.s);
    struct txn_entry *e = entry_add(t, class_id, ref);
    const char **rec = record_new(t->arena, ci->info);

    e->edit = rec;
    e->inserted = true;
    e->soft = soft || ci->soft;
    t->has_writes = true;
    rec[0] = ref; /* `self` leads every class record */
    if (ci->field_uuid >= 0) {
        struct uuid_text u = uuid_random();
        const struct field *f = &ci->info->fields[ci->field_uuid];

        *(const char **)field_at_mut(f, rec) = arena_strdup(t->arena, u.s);
    }
    return rec;
}

void *txn_insert(struct txn *t, enum class_id class_id)
{
    return insert(t, class_id, false);
}

void *txn_insert_soft(struct txn *t, enum class_id class_id)
{
    return insert(t, class_id, true);
}

void *txn_insert_ref(struct txn *t, enum class_id class_id, const char *ref)
{
    const char **rec = insert(t, class_id, false);
    struct txn_entry *e = strmap_remove(&t->by_ref, rec[0]);

    e->ref = rec[0] = arena_strdup(t->arena, ref);
    strmap_set(&t->by_ref, e->ref, e);
    return rec;
}

struct error *txn_delete(struct txn *t, enum class_id class_id, const char *ref)
{
    struct txn_entry *e = entry_of(t, class_id, ref);

    if (!entry_rec(e))
        return handle_invalid(class_id, ref);
    e->deleted = true;
    t->has_writes = true;
    return NULL;
}

void txn_harden(struct txn *t, enum class_id class_id, const char *ref)
{
    struct txn_entry *e = entry_of(t, class_id, ref);

    assert(entry_rec(e) && e->edit);
    e->soft = false;
    e->harden = true;
}

const void *txn_inverse(struct txn *t, enum class_id class_id, const void *rec)
{
    const struct class_info *ci = &classes[class_id];
    struct txn_entry *e = strmap_find(&t->by_ref, *(const char *const *)rec);

    assert(e && e->class_id == class_id);
    if (!e->base)
        return (const char *)ci->info->defaults + ci->inv_offset;
    e->rel_read = true;
    return (const char *)e->base->rec + ci->inv_offset;
}

size_t txn_all(struct txn *t, enum class_id class_id, const void *const **ret)
{
    struct class_state *c = &t->store->classes[class_id];
    struct VEC(const void *) out = {0};
    struct object *o;

    pthread_mutex_lock(&t->store->lock);
    t->scanned[class_id] = true;
    t->scan_seq[class_id] = c->member_seq_pub;
    list_foreach (o, &c->all, all) {
        struct txn_entry *e = strmap_find(&t->by_ref, o->ref);
        const void *rec = entry_rec(e ? e : entry_pin(t, o));

        if (rec)
            vec_add(&out, rec);
    }
    pthread_mutex_unlock(&t->store->lock);
    for (struct txn_entry *e = t->entries; e; e = e->next)
        if (e->inserted && e->class_id == class_id && !e->deleted)
            vec_add(&out, e->edit);
    const void *const *list = arena_memdup(t->arena, out.v, out.n * sizeof(*out.v));
    size_t n = out.n;

    vec_fini(&out);
    *ret = list;
    return n;
}

const void *txn_view_search(struct txn *t, enum class_id class_id,
                            bool (*match)(const void *rec, const void *key), const void *key)
{
    const void *const *all;
    size_t n = txn_all(t, class_id, &all);

    for (size_t i = 0; i < n; i++)
        if (!match || match(all[i], key))
            return all[i];
    return NULL;
}
