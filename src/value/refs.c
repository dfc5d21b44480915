/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* References within values, replaced all at once. */
#include "value/refs.h"

static bool may_hold(const struct type *t)
{
    switch (t->kind) {
    case K_REF:
        return true;
    case K_SET:
    case K_OPTION:
        return may_hold(t->elem);
    case K_MAP:
        return may_hold(t->key) || may_hold(t->elem);
    default:
        return false;
    }
}

static const void *map_items(struct arena *a, const struct type *t, const void *items, size_t n,
                             const struct ref_mapping *m)
{
    if (!n || !may_hold(t))
        return items;
    char *copy = arena_memdup(a, items, n * t->size);

    for (size_t i = 0; i < n; i++)
        value_map_refs(a, t, copy + i * t->size, m);
    return copy;
}

static bool is_null(const struct type *t, const void *items, size_t i)
{
    return t->kind == K_REF &&
           streq(*(const char *const *)((const char *)items + i * t->size), REF_NULL);
}

static void move_item(const struct type *t, const void *items, size_t to, size_t from)
{
    char *p = (char *)(uintptr_t)items;

    if (to != from)
        memcpy(p + to * t->size, p + from * t->size, t->size);
}

/* Both are arrays made by map_items if there can be a null reference among them. */
static void drop_nulls(struct arena *a, const struct type *t, struct map *m)
{
    size_t n = 0;

    if (t->elem->kind != K_REF)
        m->v = arena_memdup(a, m->v, m->n * t->elem->size);
    if (t->key->kind != K_REF)
        m->k = arena_memdup(a, m->k, m->n * t->key->size);
    for (size_t i = 0; i < m->n; i++) {
        if (is_null(t->key, m->k, i) || is_null(t->elem, m->v, i))
            continue;
        move_item(t->key, m->k, n, i);
        move_item(t->elem, m->v, n++, i);
    }
    m->n = n;
}

static void map_set(struct arena *a, const struct type *t, struct set *s,
                    const struct ref_mapping *m)
{
    size_t n = 0;

    s->v = map_items(a, t->elem, s->v, s->n, m);
    for (size_t i = 0; i < s->n && m->drop_null; i++)
        if (!is_null(t->elem, s->v, i))
            move_item(t->elem, s->v, n++, i);
    if (m->drop_null)
        s->n = n;
}

static void map_map(struct arena *a, const struct type *t, struct map *map,
                    const struct ref_mapping *m)
{
    map->k = map_items(a, t->key, map->k, map->n, m);
    map->v = map_items(a, t->elem, map->v, map->n, m);
    if (m->drop_null && map->n && (t->key->kind == K_REF || t->elem->kind == K_REF))
        drop_nulls(a, t, map);
}

void value_map_refs(struct arena *a, const struct type *t, void *p, const struct ref_mapping *m)
{
    switch (t->kind) {
    case K_REF:
        *(const char **)p = m->fn(m->ctx, t->class_id, *(const char **)p);
        break;
    case K_SET:
        map_set(a, t, p, m);
        break;
    case K_MAP:
        map_map(a, t, p, m);
        break;
    case K_OPTION: {
        const void **inner = p;

        *inner = map_items(a, t->elem, *inner, *inner ? 1 : 0, m);
        break;
    }
    default:
        break;
    }
}

void record_map_refs(struct arena *a, const struct struct_info *si, void *rec,
                     const struct ref_mapping *m)
{
    for (int i = 0; i < si->n; i++)
        value_map_refs(a, si->fields[i].type, field_at_mut(&si->fields[i], rec), m);
}
