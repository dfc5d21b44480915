/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much clients may keep in the store. Looked at for their own commits only: what the daemon
 * writes to finish what it began never fails here, and neither does what makes an object smaller.
 */
#include "gen/errors.h"
#include "model/store_priv.h"

static const struct store_limits defaults = {
    .class_rows = 200000,
    .task_rows = 10000,
    .secret_rows = 10000,
    .object_bytes = 1 << 20,
    .bytes = 2ull << 30,
};

void limits_init(struct store *s)
{
    s->limits = defaults;
}

void store_set_limits(struct store *s, const struct store_limits *limits)
{
    pthread_mutex_lock(&s->lock);
    s->limits = *limits;
    pthread_mutex_unlock(&s->lock);
}

static size_t rows_max(const struct store_limits *l, enum class_id class_id)
{
    return class_id == CLASS_TASK     ? l->task_rows
           : class_id == CLASS_SECRET ? l->secret_rows
                                      : l->class_rows;
}

/* What the object itself says; what others say about it is theirs. */
static size_t own_bytes(const struct struct_info *si, const void *rec)
{
    size_t n = 0;

    for (int i = 0; i < si->n; i++) {
        if (!(si->fields[i].flags & (FIELD_INVERSE | FIELD_DERIVED)))
            n += value_extent(si->fields[i].type, field_at(&si->fields[i], rec));
    }
    return n;
}

/* By how much that grows. Only what changed is measured. */
static int64_t growth(const struct struct_info *si, const struct work *w)
{
    int64_t n = 0;

    if (!w->old)
        return (int64_t)own_bytes(si, w->rec);
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (field_mask_has(&w->own_changed, i))
            n += (int64_t)value_extent(f->type, field_at(f, w->rec)) -
                 (int64_t)value_extent(f->type, field_at(f, w->old->rec));
    }
    return n;
}

/* A version holds more than its own texts and lists: most objects need not be measured. */
static bool is_too_large(const struct struct_info *si, const struct work *w, int64_t more,
                         size_t max)
{
    size_t at_most = (w->old ? w->old->size : 0) + (size_t)more;

    return at_most > max && own_bytes(si, w->rec) > max;
}

static struct error *too_many(enum class_id class_id, size_t max)
{
    _cleanup_free_ char *why = xasprintf("there can be at most %zu of them", max);

    if (class_id == CLASS_TASK)
        return err_too_many_pending_tasks();
    return err_value_not_supported("class", classes[class_id].name, why);
}

static struct error *too_large(const struct work *w, size_t max)
{
    _cleanup_free_ char *why = xasprintf("an object can hold at most %zu bytes", max);

    return err_value_not_supported(classes[w->obj->class_id].name, w->obj->ref, why);
}

struct error *stage_check_limits(const struct commit_stage *st)
{
    struct store *s = st->store;
    size_t inserted[CLASS_MAX] = {0};
    uint64_t grown = 0;

    for (const struct work *w = st->works; w; w = w->next) {
        enum class_id c = w->obj->class_id;
        int64_t more = w->rec ? growth(classes[c].info, w) : 0;

        if (more > 0) {
            if (is_too_large(classes[c].info, w, more, s->limits.object_bytes))
                return too_large(w, s->limits.object_bytes);
            grown += (uint64_t)more;
        }
        if (w->inserted && s->classes[c].n + ++inserted[c] > rows_max(&s->limits, c))
            return too_many(c, rows_max(&s->limits, c));
    }
    return grown && s->bytes + grown > s->limits.bytes ? err_out_of_space("store") : NULL;
}
