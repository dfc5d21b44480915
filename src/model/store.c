/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-ups and the maps behind them. Loading is in load.c. */
#include "model/soft_rows.h"
#include "model/store_priv.h"

struct object *object_new(struct store *s, uint16_t class_id, const char *ref)
{
    size_t len = strlen(ref);
    struct object *o = xcalloc(1, sizeof(*o) + len + 1);

    atomic_init(&o->refs, 1);
    o->class_id = class_id;
    o->soft = classes[class_id].soft;
    list_init(&o->change);
    list_init(&o->all);
    list_init(&o->in);
    memcpy(o->ref, ref, len + 1);
    return o;
}

void object_unref(struct object *o)
{
    if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(!o->in_use && list_empty(&o->in));
    free(o->out);
    free(o->uuid_key);
    free(o);
}

bool ref_is_null(const char *ref)
{
    return !*ref || streq(ref, REF_NULL);
}

struct object *object_find(struct store *s, enum class_id class_id, const char *ref)
{
    struct object *o = strmap_find(&s->by_ref, ref);

    return o && o->class_id == class_id ? o : NULL;
}

void store_map_add(struct store *s, struct object *o)
{
    strmap_set(&s->by_ref, o->ref, o);
    o->in_use = true;
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

void store_map_remove(struct store *s, struct object *o)
{
    store_map_uuid(s, o, NULL);
    strmap_remove(&s->by_ref, o->ref);
    o->in_use = false;
    object_unref(o);
}

const char *record_uuid(enum class_id class_id, const void *rec)
{
    const struct class_info *ci = &classes[class_id];

    if (ci->field_uuid < 0)
        return "";
    return *(const char *const *)field_at(&ci->info->fields[ci->field_uuid], rec);
}

static char *uuid_key(enum class_id class_id, const char *uuid)
{
    return xasprintf("%d/%s", (int)class_id, uuid);
}

bool store_map_uuid(struct store *s, struct object *o, const void *rec)
{
    const char *uuid = rec ? record_uuid(o->class_id, rec) : "";
    _cleanup_free_ char *key = *uuid ? uuid_key(o->class_id, uuid) : NULL;

    if (key && o->uuid_key && streq(key, o->uuid_key))
        return true;
    if (key && strmap_find(&s->by_uuid, key))
        return false;
    if (o->uuid_key) {
        strmap_remove(&s->by_uuid, o->uuid_key);
        free(o->uuid_key);
    }
    o->uuid_key = TAKE_PTR(key);
    if (o->uuid_key)
        strmap_set(&s->by_uuid, o->uuid_key, o);
    return true;
}

struct version *store_find(struct store *s, enum class_id class_id, const char *ref)
{
    pthread_mutex_lock(&s->lock);
    struct object *o = object_find(s, class_id, ref);
    struct version *v = o && o->head ? version_ref(o->head) : NULL;

    pthread_mutex_unlock(&s->lock);
    return v;
}

struct version *store_find_uuid(struct store *s, enum class_id class_id, const char *uuid)
{
    _cleanup_free_ char *key = uuid_key(class_id, uuid);

    pthread_mutex_lock(&s->lock);
    struct object *o = strmap_find(&s->by_uuid, key);
    struct version *v = o && o->head ? version_ref(o->head) : NULL;

    pthread_mutex_unlock(&s->lock);
    return v;
}

void store_all(struct store *s, enum class_id class_id, struct version_list *ret)
{
    struct object *o;

    *ret = (struct version_list){0};
    pthread_mutex_lock(&s->lock);
    struct class_state *c = &s->classes[class_id];

    vec_reserve(ret, c->n + 1);
    list_foreach (o, &c->all, all)
        vec_add(ret, version_ref(o->head));
    pthread_mutex_unlock(&s->lock);
}

void version_list_fini(struct version_list *l)
{
    vec_foreach (v, l)
        version_unref(*v);
    vec_fini(l);
}

size_t store_count(struct store *s, enum class_id class_id)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->classes[class_id].n;

    pthread_mutex_unlock(&s->lock);
    return n;
}

void store_stats(struct store *s, struct store_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->stats;
    ret->objects = s->by_ref.n;
    ret->flushes = s->db->n_flushes;
    ret->row_bytes = s->db->n_bytes;
    pthread_mutex_unlock(&s->lock);
}

/* The database is used by one thread at a time: wait for the committer, then be it. */
static void database_take(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->database_wanted++;
    while (s->flushing)
        pthread_cond_wait(&s->flushed, &s->lock);
    s->database_wanted--;
    s->flushing = true;
    pthread_mutex_unlock(&s->lock);
}

static void database_give(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct pending *next = publish_hand_over(s);

    pthread_mutex_unlock(&s->lock);
    publish_tell_leader(s, next);
}

struct error *store_maintain(struct store *s)
{
    database_take(s);
    struct error *e = db_maintain(s->db);

    database_give(s);
    return e;
}

struct error *store_history(struct store *s, const char *ref, size_t max, void *ctx,
                            struct error *(*entry)(void *ctx, const struct db_history_entry *e))
{
    database_take(s);
    struct error *e = db_history(s->db, ref, max, ctx, entry);

    database_give(s);
    return e;
}

void store_on_lost_commit(struct store *s, void (*lost)(const struct error *why))
{
    s->db->lost = lost;
}

void store_close(struct store *s)
{
    struct object *o;

    if (!s)
        return;
    committer_fini(&s->committer);
    for (int i = 0; i < CLASS_MAX; i++) {
        list_foreach (o, &s->classes[i].all, all) {
            edges_set(s, o, NULL);
        }
    }
    for (int i = 0; i < CLASS_MAX; i++) {
        list_foreach (o, &s->classes[i].all, all) {
            list_remove(&o->all);
            list_remove(&o->change);
            version_unref(o->head); /* head is tail: nothing is pending any more */
            o->head = o->tail = NULL;
            store_map_remove(s, o);
        }
        feed_fini(&s->classes[i]);
    }
    soft_rows_close(s->soft_rows);
    dependents_free(s);
    strmap_fini(&s->by_ref);
    strmap_fini(&s->by_uuid);
    db_close(s->db);
    free(s->read_only);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->flushed);
    pthread_cond_destroy(&s->turn_given);
    free(s);
}
