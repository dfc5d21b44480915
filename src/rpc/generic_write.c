/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages that every class has, write side: fields set from the tables, plain create and destroy.
 */
#include "gen/errors.h"
#include "rpc/job.h"

static const struct field *field_of(const struct message *m)
{
    return &classes[m->class_id].info->fields[m->field];
}

static struct error *edit_field(struct job *j, const struct field **ret_field, void **ret_at)
{
    const struct generic_args *g = j->args;
    void *rec;

    TRY(txn_edit(j->call.txn, j->call.msg->class_id, g->self, &rec));
    *ret_field = field_of(j->call.msg);
    *ret_at = field_at_mut(*ret_field, rec);
    return NULL;
}

static struct error *set_field(struct job *j)
{
    const struct generic_args *g = j->args;
    const struct field *f;
    void *at;

    TRY(edit_field(j, &f, &at));
    memcpy(at, g->value, f->type->size);
    return NULL;
}

/* Index of an element in an array of values, -1 = absent. */
static ssize_t element_find(const struct type *t, const void *array, size_t n, const void *value)
{
    for (size_t i = 0; i < n; i++)
        if (value_equal(t, (const char *)array + i * t->size, value))
            return (ssize_t)i;
    return -1;
}

static void *array_with(struct arena *a, const struct type *t, const void *array, size_t n,
                        const void *value)
{
    char *v = arena_alloc(a, (n + 1) * t->size);

    if (n)
        memcpy(v, array, n * t->size);
    memcpy(v + n * t->size, value, t->size);
    return v;
}

static void *array_without(struct arena *a, const struct type *t, const void *array, size_t n,
                           size_t index)
{
    char *v = arena_alloc(a, n * t->size);

    memcpy(v, array, index * t->size);
    memcpy(v + index * t->size, (const char *)array + (index + 1) * t->size,
           (n - index - 1) * t->size);
    return v;
}

static struct error *set_add(struct job *j)
{
    const struct generic_args *g = j->args;
    const struct field *f;
    void *at;

    TRY(edit_field(j, &f, &at));
    struct set *set = at;
    const struct type *t = f->type->elem;

    if (element_find(t, set->v, set->n, g->value) >= 0)
        return NULL;
    set->v = array_with(j->call.arena, t, set->v, set->n, g->value);
    set->n++;
    return NULL;
}

static struct error *set_remove(struct job *j)
{
    const struct generic_args *g = j->args;
    const struct field *f;
    void *at;

    TRY(edit_field(j, &f, &at));
    struct set *set = at;
    ssize_t i = element_find(f->type->elem, set->v, set->n, g->value);

    if (i < 0)
        return NULL;
    set->v = array_without(j->call.arena, f->type->elem, set->v, set->n, (size_t)i);
    set->n--;
    return NULL;
}

static const char *key_text(const struct job *j)
{
    return json_string_value(json_array_get(j->env.params, 2));
}

static struct error *map_add(struct job *j)
{
    const struct generic_args *g = j->args;
    const struct field *f;
    void *at;

    TRY(edit_field(j, &f, &at));
    struct map *map = at;

    if (element_find(f->type->key, map->k, map->n, g->key) >= 0) {
        const char *key = key_text(j);

        return err_map_duplicate_key(classes[j->call.msg->class_id].name, f->column, g->self,
                                     key ? key : "");
    }
    map->k = array_with(j->call.arena, f->type->key, map->k, map->n, g->key);
    map->v = array_with(j->call.arena, f->type->elem, map->v, map->n, g->value);
    map->n++;
    return NULL;
}

static struct error *map_remove(struct job *j)
{
    const struct generic_args *g = j->args;
    const struct field *f;
    void *at;

    TRY(edit_field(j, &f, &at));
    struct map *map = at;
    ssize_t i = element_find(f->type->key, map->k, map->n, g->key);

    if (i < 0)
        return NULL;
    map->k = array_without(j->call.arena, f->type->key, map->k, map->n, (size_t)i);
    map->v = array_without(j->call.arena, f->type->elem, map->v, map->n, (size_t)i);
    map->n--;
    return NULL;
}

/* A row straight from the constructor's members. */
static struct error *create_row(struct job *j)
{
    const struct message *m = j->call.msg;
    const struct struct_info *si = classes[m->class_id].info;
    const struct struct_info *ctor = m->args->fields[0].type->record;
    const void *given = field_at(&m->args->fields[0], j->args);
    const char **rec = txn_insert(j->call.txn, m->class_id);

    record_take(si, rec, ctor, given);
    *(const char **)j->ret = rec[0];
    return NULL;
}

struct error *generic_write(struct job *j)
{
    const struct generic_args *g = j->args;

    switch ((enum message_kind)j->call.msg->kind) {
    case MSG_SET_FIELD:
        return set_field(j);
    case MSG_ADD_FIELD:
        return set_add(j);
    case MSG_REMOVE_FIELD:
        return set_remove(j);
    case MSG_ADD_TO_FIELD:
        return map_add(j);
    case MSG_REMOVE_FROM_FIELD:
        return map_remove(j);
    case MSG_CREATE:
        return create_row(j);
    case MSG_DESTROY:
        return txn_delete(j->call.txn, j->call.msg->class_id, g->self);
    default:
        return err_not_implemented(j->call.msg->name);
    }
}
