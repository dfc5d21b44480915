/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters to typed arguments, and room for the result. */
#include "gen/types.h"
#include "rpc/job.h"
#include "value/json.h"

/* A struct argument of a create: members without default must be there. */
static struct error *check_members(const struct struct_info *si, const json_t *j)
{
    for (int i = 0; i < si->n; i++) {
        if (!(si->fields[i].flags & FIELD_REQUIRED) || json_object_get(j, si->fields[i].name))
            continue;
        _cleanup_free_ char *text = xasprintf("Dispatcher_FieldNotFound: %s", si->fields[i].name);

        return err_internal_error(text);
    }
    return NULL;
}

static struct error *decode_args(struct job *j, size_t first)
{
    const struct struct_info *si = j->call.msg->args;
    void *args = record_new(j->call.arena, si);
    size_t given = json_array_size(j->env.params) - first;

    for (int i = 0; i < si->n && (size_t)i < given; i++) {
        const struct field *f = &si->fields[i];
        const json_t *value = json_array_get(j->env.params, first + (size_t)i);

        if (f->type->kind == K_RECORD) {
            /* Members left out keep the defaults that record_new gave. */
            if (!json_is_object(value))
                return err_field_type_error(f->name);
            TRY(check_members(f->type->record, value));
            TRY(record_from_json(j->call.arena, f->type->record, value, field_at_mut(f, args),
                                 NULL));
            continue;
        }
        TRY(value_from_json(j->call.arena, f->type, value, f->name, field_at_mut(f, args)));
    }
    j->args = args;
    return NULL;
}

static struct error *decode_text(struct job *j, size_t at, const char *what, const char **ret)
{
    return value_from_json(j->call.arena, &type_string, json_array_get(j->env.params, at), what,
                           ret);
}

static struct error *decode_typed(struct job *j, const struct type *t, size_t at, const char *what,
                                  const void **ret)
{
    void *p = arena_zalloc(j->call.arena, t->size);

    value_zero(t, p);
    TRY(value_from_json(j->call.arena, t, json_array_get(j->env.params, at), what, p));
    *ret = p;
    return NULL;
}

static struct error *decode_generic(struct job *j, size_t first)
{
    const struct message *m = j->call.msg;
    struct generic_args *g = arena_new(j->call.arena, struct generic_args);
    const struct field *f = m->field >= 0 ? &classes[m->class_id].info->fields[m->field] : NULL;

    j->args = g;
    switch ((enum message_kind)m->kind) {
    case MSG_GET_BY_UUID:
        return decode_text(j, first, "uuid", &g->text);
    case MSG_GET_BY_NAME_LABEL:
        return decode_text(j, first, "label", &g->text);
    case MSG_GET_ALL_WHERE:
    case MSG_GET_ALL_RECORDS_WHERE:
        return decode_text(j, first, "expr", &g->text);
    case MSG_GET_RECORD:
    case MSG_GET_FIELD:
    case MSG_DESTROY:
        return decode_text(j, first, "self", &g->self);
    case MSG_SET_FIELD:
        TRY(decode_text(j, first, "self", &g->self));
        return decode_typed(j, f->type, first + 1, "value", &g->value);
    case MSG_ADD_FIELD:
    case MSG_REMOVE_FIELD:
        TRY(decode_text(j, first, "self", &g->self));
        return decode_typed(j, f->type->elem, first + 1, "value", &g->value);
    case MSG_ADD_TO_FIELD:
        TRY(decode_text(j, first, "self", &g->self));
        TRY(decode_typed(j, f->type->key, first + 1, "key", &g->key));
        return decode_typed(j, f->type->elem, first + 2, "value", &g->value);
    case MSG_REMOVE_FROM_FIELD:
        TRY(decode_text(j, first, "self", &g->self));
        return decode_typed(j, f->type->key, first + 1, "key", &g->key);
    case MSG_GET_ALL:
    case MSG_GET_ALL_RECORDS:
    case MSG_EXPLICIT:
    case MSG_CREATE:
    case MSG_KIND_MAX:
        break;
    }
    return NULL;
}

struct error *job_decode(struct job *j, size_t first)
{
    const struct message *m = j->call.msg;

    if (m->result && m->result->kind != K_VOID) {
        j->ret = arena_zalloc(j->call.arena, m->result->size);
        value_zero(m->result, j->ret);
    }
    return m->args ? decode_args(j, first) : decode_generic(j, first);
}
