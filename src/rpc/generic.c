/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages that every class has, read side: records, look-ups, lists, fields. Lists of records are
 * pieces: the cached encoding of each version, with a little text between.
 */
#include "rpc/job.h"

#include "gen/types.h"
#include "model/filter.h"
#include "value/json.h"
#include "value/xml.h"

struct pieces VEC(struct iovec);

static void release_version(void *p)
{
    version_unref(p);
}

static void keep_version(struct job *j, struct version *v)
{
    arena_on_end(j->call.arena, release_version, v);
}

static void add_text(struct pieces *p, const char *text)
{
    vec_add(p, (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)});
}

static void add_record(struct job *j, struct pieces *p, struct version *v)
{
    const struct fragment *f = version_form(v, j->call.form);

    vec_add(p, (struct iovec){.iov_base = (void *)(uintptr_t)f->text, .iov_len = f->len});
}

static void hand_over(struct job *j, struct pieces *p, struct iovec **ret, size_t *ret_n)
{
    *ret = arena_memdup(j->call.arena, p->v, p->n * sizeof(*p->v));
    *ret_n = p->n;
    vec_fini(p);
}

static void value_pieces(struct job *j, const struct type *t, const void *value, struct iovec **ret,
                         size_t *ret_n)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (j->call.form == FORM_XML)
        xml_add_value(&text, t, value);
    else
        json_add_value(&text, t, value);
    one_piece(j->call.arena, &text, ret, ret_n);
}

static struct error *find_self(struct job *j, const char *self, struct version **ret)
{
    struct version *v = store_find(j->call.daemon->store, j->call.msg->class_id, self);

    if (!v)
        return err_handle_invalid(classes[j->call.msg->class_id].name, self);
    keep_version(j, v);
    *ret = v;
    return NULL;
}

static struct error *read_record(struct job *j, struct iovec **ret, size_t *ret_n)
{
    const struct generic_args *g = j->args;
    struct pieces p = {0};
    struct version *v;

    TRY(find_self(j, g->self, &v));
    add_record(j, &p, v);
    hand_over(j, &p, ret, ret_n);
    return NULL;
}

static struct error *read_field(struct job *j, struct iovec **ret, size_t *ret_n)
{
    const struct generic_args *g = j->args;
    const struct field *f = &classes[j->call.msg->class_id].info->fields[j->call.msg->field];
    struct version *v;

    TRY(find_self(j, g->self, &v));
    value_pieces(j, f->type, field_at(f, v->rec), ret, ret_n);
    return NULL;
}

static struct error *read_by_uuid(struct job *j, struct iovec **ret, size_t *ret_n)
{
    const struct generic_args *g = j->args;
    struct version *v = store_find_uuid(j->call.daemon->store, j->call.msg->class_id, g->text);

    if (!v)
        return err_uuid_invalid(classes[j->call.msg->class_id].name, g->text);
    keep_version(j, v);
    const char *ref = version_ref_text(v);

    value_pieces(j, &type_string, &ref, ret, ret_n);
    return NULL;
}

/* The versions of the class that fit a filter (NULL = all), kept until the answer is sent. */
static void select_versions(struct job *j, const struct filter *filter, struct version_list *ret)
{
    enum class_id class_id = j->call.msg->class_id;
    struct version_list all;
    size_t n = 0;

    store_all(j->call.daemon->store, class_id, &all);
    for (size_t i = 0; i < all.n; i++) {
        struct version *v = all.v[i];

        if (filter && !filter_match(filter, classes[class_id].info, v->rec, version_ref_text(v))) {
            version_unref(v);
            continue;
        }
        all.v[n++] = v;
        keep_version(j, v);
    }
    all.n = n;
    *ret = all;
}

static void refs_pieces(struct job *j, const struct version_list *l, struct iovec **ret,
                        size_t *ret_n)
{
    const char **refs = arena_array(j->call.arena, const char *, l->n);
    const struct set_string set = {.n = l->n, .v = refs};

    for (size_t i = 0; i < l->n; i++)
        refs[i] = version_ref_text(l->v[i]);
    value_pieces(j, &type_set_string, &set, ret, ret_n);
}

/* What stands around a reference before each record, and for the first one. */
struct key_form {
    const char *first, *before, *after;
};

static const struct key_form key_forms[FORM_MAX] = {
    [FORM_XML] = {"<member><name>", "</member><member><name>", "</name>"},
    [FORM_JSON] = {"\"", ",\"", "\":"},
};

static char *put(char *to, const char *text)
{
    size_t n = strlen(text);

    memcpy(to, text, n);
    return to + n;
}

/* Room for the texts before all records, one behind the other: a list has as many as there are
 * objects, too many for printf. */
static char *room_for_keys(struct job *j, const struct version_list *l)
{
    const struct key_form *f = &key_forms[j->call.form];
    size_t room = 1;

    for (size_t i = 0; i < l->n; i++)
        room += strlen(f->before) + strlen(version_ref_text(l->v[i])) + strlen(f->after);
    return arena_alloc(j->call.arena, room);
}

static void records_pieces(struct job *j, const struct version_list *l, struct iovec **ret,
                           size_t *ret_n)
{
    bool xml = j->call.form == FORM_XML;
    const struct key_form *f = &key_forms[j->call.form];
    char *at = room_for_keys(j, l);
    struct pieces p = {0};

    vec_reserve(&p, l->n * 2 + 2);
    add_text(&p, xml ? "<value><struct>" : "{");
    for (size_t i = 0; i < l->n; i++) {
        char *key = at;

        at = put(put(put(at, i ? f->before : f->first), version_ref_text(l->v[i])), f->after);
        vec_add(&p, (struct iovec){.iov_base = key, .iov_len = (size_t)(at - key)});
        add_record(j, &p, l->v[i]);
    }
    if (xml)
        add_text(&p, l->n ? "</member></struct></value>" : "</struct></value>");
    else
        add_text(&p, "}");
    hand_over(j, &p, ret, ret_n);
}

static struct error *read_list(struct job *j, bool records, bool where, struct iovec **ret,
                               size_t *ret_n)
{
    const struct generic_args *g = j->args;
    const struct filter *filter = NULL;
    struct version_list l;

    if (where)
        TRY(filter_parse(j->call.arena, g->text, classes[j->call.msg->class_id].info, &filter));
    select_versions(j, filter, &l);
    if (records)
        records_pieces(j, &l, ret, ret_n);
    else
        refs_pieces(j, &l, ret, ret_n);
    vec_fini(&l); /* the references themselves are the arena's */
    return NULL;
}

static struct error *read_by_name(struct job *j, struct iovec **ret, size_t *ret_n)
{
    const struct generic_args *g = j->args;
    const struct class_info *ci = &classes[j->call.msg->class_id];
    const struct field *f = &ci->info->fields[ci->field_name_label];
    struct version_list all, fit = {0};

    store_all(j->call.daemon->store, j->call.msg->class_id, &all);
    vec_foreach (v, &all) {
        if (streq(*(const char *const *)field_at(f, (*v)->rec), g->text)) {
            vec_add(&fit, *v);
            keep_version(j, version_ref(*v));
        }
    }
    version_list_fini(&all);
    refs_pieces(j, &fit, ret, ret_n);
    vec_fini(&fit);
    return NULL;
}

bool generic_is_read(const struct message *m)
{
    switch ((enum message_kind)m->kind) {
    case MSG_GET_RECORD:
    case MSG_GET_BY_UUID:
    case MSG_GET_BY_NAME_LABEL:
    case MSG_GET_ALL:
    case MSG_GET_ALL_WHERE:
    case MSG_GET_ALL_RECORDS:
    case MSG_GET_ALL_RECORDS_WHERE:
    case MSG_GET_FIELD:
        return true;
    default:
        return false;
    }
}

struct error *generic_read(struct job *j, struct iovec **ret, size_t *ret_n)
{
    switch ((enum message_kind)j->call.msg->kind) {
    case MSG_GET_RECORD:
        return read_record(j, ret, ret_n);
    case MSG_GET_BY_UUID:
        return read_by_uuid(j, ret, ret_n);
    case MSG_GET_BY_NAME_LABEL:
        return read_by_name(j, ret, ret_n);
    case MSG_GET_ALL:
        return read_list(j, false, false, ret, ret_n);
    case MSG_GET_ALL_WHERE:
        return read_list(j, false, true, ret, ret_n);
    case MSG_GET_ALL_RECORDS:
        return read_list(j, true, false, ret, ret_n);
    case MSG_GET_ALL_RECORDS_WHERE:
        return read_list(j, true, true, ret, ret_n);
    case MSG_GET_FIELD:
        return read_field(j, ret, ret_n);
    default:
        return err_not_implemented(j->call.msg->name);
    }
}
