/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One walk over a type does every deep copy: into an arena, or into a block whose size another walk
 * has measured. The texts "" and the null reference are never copied but shared.
 */
#include "value/value.h"

#include "value/json.h"

#include <stdalign.h>

#define BLOCK_ALIGN 16
#define DATA_ALIGN  alignof(int64_t) /* no kind needs more */

/* Where copies go: an arena, or two cursors into one block (aligned data, then texts). */
struct copier {
    struct arena *arena;
    char *data;
    char *text;
};

struct extent {
    size_t data;
    size_t text;
};

static void copy_value(struct copier *c, const struct type *t, void *dst, const void *src);
static void copy_fields(struct copier *c, const struct struct_info *si, void *dst, const void *src);

static size_t align_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

bool field_mask_empty(const struct field_mask *m)
{
    uint64_t any = 0;

    for (size_t i = 0; i < ARRAY_SIZE(m->w); i++)
        any |= m->w[i];
    return any == 0;
}

static void zero_record(const struct struct_info *si, void *rec)
{
    if (si->defaults) {
        memcpy(rec, si->defaults, si->size);
    } else {
        memset(rec, 0, si->size);
        for (int i = 0; i < si->n; i++)
            value_zero(si->fields[i].type, field_at_mut(&si->fields[i], rec));
    }
    if (si->has_self && !*(const char **)rec)
        *(const char **)rec = REF_NULL;
}

void value_zero(const struct type *t, void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
        *(const char **)p = "";
        break;
    case K_REF:
        *(const char **)p = REF_NULL;
        break;
    case K_RECORD:
        zero_record(t->record, p);
        break;
    default:
        memset(p, 0, t->size);
    }
}

bool value_is_zero(const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
        return !**(const char *const *)p;
    case K_REF:
        return streq(*(const char *const *)p, REF_NULL);
    case K_BOOL:
        return !*(const bool *)p;
    case K_INT:
    case K_DATETIME:
        return !*(const int64_t *)p;
    case K_SET:
        return !((const struct set *)p)->n;
    case K_MAP:
        return !((const struct map *)p)->n;
    case K_OPTION:
        return !*(const void *const *)p;
    default:
        return false;
    }
}

/* ---- equality ---- */

static bool text_equal(const void *a, const void *b)
{
    const char *x = *(const char *const *)a;
    const char *y = *(const char *const *)b;

    return x == y || streq(x, y);
}

static bool items_equal(const struct type *t, const void *a, const void *b, size_t n)
{
    if (a == b)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (!value_equal(t, (const char *)a + i * t->size, (const char *)b + i * t->size))
            return false;
    }
    return true;
}

static bool float_equal(double a, double b)
{
    return a == b || (a != a && b != b);
}

static bool any_equal(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a;
    const json_t *y = *(const json_t *const *)b;

    return x == y || (x && y && json_equal(x, y));
}

static bool option_equal(const struct type *t, const void *a, const void *b)
{
    const void *x = *(const void *const *)a;
    const void *y = *(const void *const *)b;

    return x && y ? value_equal(t->elem, x, y) : !x && !y;
}

static bool set_equal(const struct type *t, const struct set *a, const struct set *b)
{
    return a->n == b->n && items_equal(t->elem, a->v, b->v, a->n);
}

static bool map_equal(const struct type *t, const struct map *a, const struct map *b)
{
    return a->n == b->n && items_equal(t->key, a->k, b->k, a->n) &&
           items_equal(t->elem, a->v, b->v, a->n);
}

static bool record_equal(const struct struct_info *si, const void *a, const void *b)
{
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (!value_equal(f->type, field_at(f, a), field_at(f, b)))
            return false;
    }
    return true;
}

bool value_equal(const struct type *t, const void *a, const void *b)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        return text_equal(a, b);
    case K_INT:
    case K_DATETIME:
        return *(const int64_t *)a == *(const int64_t *)b;
    case K_FLOAT:
        return float_equal(*(const double *)a, *(const double *)b);
    case K_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case K_ENUM:
        return *(const int *)a == *(const int *)b;
    case K_SET:
        return set_equal(t, a, b);
    case K_MAP:
        return map_equal(t, a, b);
    case K_OPTION:
        return option_equal(t, a, b);
    case K_RECORD:
        return record_equal(t->record, a, b);
    case K_ANY:
        return any_equal(a, b);
    case K_VOID:
    case K_MAX:
        break;
    }
    return true;
}

struct field_mask record_diff(const struct struct_info *si, const void *a, const void *b)
{
    struct field_mask m = {0};

    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        if (!value_equal(f->type, field_at(f, a), field_at(f, b)))
            field_mask_add(&m, i);
    }
    return m;
}

/* ---- copies ---- */

/* A constant that stands for the text, or NULL if it needs memory of its own. */
static const char *shared_text(const char *s)
{
    static const char null_ref[] = REF_NULL;

    if (!s)
        return NULL;
    if (!*s)
        return "";
    return *s == *null_ref && streq(s, null_ref) ? null_ref : NULL;
}

static const char *copy_text(struct copier *c, const char *s)
{
    const char *shared = shared_text(s);

    if (shared || !s)
        return shared;
    if (c->arena)
        return arena_strdup(c->arena, s);
    size_t n = strlen(s) + 1;
    char *p = c->text;

    c->text += n;
    return memcpy(p, s, n);
}

static void *copy_alloc(struct copier *c, size_t n)
{
    if (c->arena)
        return arena_alloc(c->arena, n);
    char *p = c->data;

    c->data += align_up(n, DATA_ALIGN);
    return p;
}

static const void *copy_items(struct copier *c, const struct type *t, const void *src, size_t n)
{
    if (!n)
        return NULL;
    char *dst = copy_alloc(c, n * t->size);

    for (size_t i = 0; i < n; i++)
        copy_value(c, t, dst + i * t->size, (const char *)src + i * t->size);
    return dst;
}

static void copy_value(struct copier *c, const struct type *t, void *dst, const void *src)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        *(const char **)dst = copy_text(c, *(const char *const *)src);
        break;
    case K_SET: {
        const struct set *s = src;

        *(struct set *)dst = (struct set){.n = s->n, .v = copy_items(c, t->elem, s->v, s->n)};
        break;
    }
    case K_MAP: {
        const struct map *m = src;

        *(struct map *)dst = (struct map){.n = m->n,
                                          .k = copy_items(c, t->key, m->k, m->n),
                                          .v = copy_items(c, t->elem, m->v, m->n)};
        break;
    }
    case K_OPTION: {
        const void *inner = *(const void *const *)src;

        *(const void **)dst = inner ? copy_items(c, t->elem, inner, 1) : NULL;
        break;
    }
    case K_RECORD:
        copy_fields(c, t->record, dst, src);
        break;
    default:
        memcpy(dst, src, t->size);
    }
}

static void copy_fields(struct copier *c, const struct struct_info *si, void *dst, const void *src)
{
    memcpy(dst, src, si->size);
    if (si->has_self)
        *(const char **)dst = copy_text(c, *(const char *const *)src);
    for (int i = 0; i < si->n; i++) {
        const struct field *f = &si->fields[i];

        copy_value(c, f->type, field_at_mut(f, dst), field_at(f, src));
    }
}

void value_copy(struct arena *a, const struct type *t, void *dst, const void *src)
{
    struct copier c = {.arena = a};

    copy_value(&c, t, dst, src);
}

void *record_new(struct arena *a, const struct struct_info *si)
{
    void *rec = arena_alloc(a, si->size);

    zero_record(si, rec);
    return rec;
}

void *record_copy(struct arena *a, const struct struct_info *si, const void *src)
{
    struct copier c = {.arena = a};
    void *dst = arena_alloc(a, si->size);

    copy_fields(&c, si, dst, src);
    return dst;
}

/* ---- one-block records ---- */

static void measure_value(struct extent *e, const struct type *t, const void *p);

static void measure_text(struct extent *e, const char *s)
{
    if (s && !shared_text(s))
        e->text += strlen(s) + 1;
}

static void measure_items(struct extent *e, const struct type *t, const void *v, size_t n)
{
    e->data += align_up(n * t->size, DATA_ALIGN);
    for (size_t i = 0; i < n; i++)
        measure_value(e, t, (const char *)v + i * t->size);
}

static void measure_fields(struct extent *e, const struct struct_info *si, const void *rec)
{
    if (si->has_self)
        measure_text(e, *(const char *const *)rec);
    for (int i = 0; i < si->n; i++)
        measure_value(e, si->fields[i].type, field_at(&si->fields[i], rec));
}

static void measure_value(struct extent *e, const struct type *t, const void *p)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        measure_text(e, *(const char *const *)p);
        break;
    case K_SET:
        measure_items(e, t->elem, ((const struct set *)p)->v, ((const struct set *)p)->n);
        break;
    case K_MAP:
        measure_items(e, t->key, ((const struct map *)p)->k, ((const struct map *)p)->n);
        measure_items(e, t->elem, ((const struct map *)p)->v, ((const struct map *)p)->n);
        break;
    case K_OPTION:
        if (*(const void *const *)p)
            measure_items(e, t->elem, *(const void *const *)p, 1);
        break;
    case K_RECORD:
        measure_fields(e, t->record, p);
        break;
    default:
        break;
    }
}

size_t value_extent(const struct type *t, const void *p)
{
    struct extent e = {0};

    measure_value(&e, t, p);
    return e.data + e.text;
}

void *record_flatten(const struct struct_info *si, const void *src, size_t header,
                     void **ret_record, size_t *ret_size)
{
    struct extent e = {0};
    size_t record_at = align_up(header, BLOCK_ALIGN);
    size_t data_at = record_at + align_up(si->size, DATA_ALIGN);

    measure_fields(&e, si, src);
    size_t size = data_at + e.data + e.text;
    char *block = xmalloc(size);
    struct copier c = {.data = block + data_at, .text = block + data_at + e.data};

    memset(block, 0, record_at);
    copy_fields(&c, si, block + record_at, src);
    *ret_record = block + record_at;
    if (ret_size)
        *ret_size = size;
    return block;
}

/* ---- look-ups ---- */

int field_find(const struct struct_info *si, const char *name)
{
    for (int i = 0; i < si->n; i++) {
        if (streq(si->fields[i].name, name))
            return i;
    }
    return -1;
}

void record_take(const struct struct_info *si, void *rec, const struct struct_info *from_si,
                 const void *from)
{
    int at = 0; /* both tables have the same order, one with gaps */

    for (int i = 0; i < from_si->n; i++) {
        const struct field *f = &from_si->fields[i];
        int k = at;

        while (k < si->n && !streq(si->fields[k].name, f->name))
            k++;
        if (k == si->n)
            k = field_find(si, f->name);
        if (k < 0)
            continue;
        memcpy(field_at_mut(&si->fields[k], rec), field_at(f, from), f->type->size);
        at = k + 1;
    }
}

int field_find_column(const struct struct_info *si, const char *column)
{
    for (int i = 0; i < si->n; i++) {
        if (streq(si->fields[i].column, column))
            return i;
    }
    return -1;
}

const char *map_string_find(const struct map *m, const char *key)
{
    const char *const *k = m->k;
    const char *const *v = m->v;

    for (size_t i = 0; i < m->n; i++) {
        if (streq(k[i], key))
            return v[i];
    }
    return NULL;
}

bool set_string_has(const struct set *s, const char *value)
{
    const char *const *v = s->v;

    for (size_t i = 0; i < s->n; i++) {
        if (streq(v[i], value))
            return true;
    }
    return false;
}
