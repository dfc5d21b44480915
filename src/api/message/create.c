/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/message/post.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/msg/message.h"
#include "rpc/call.h"
#include "value/json.h"
#include "value/number.h"

/* Some at once, so that a full list is not walked at every message. */
#define DROP_AT_ONCE 100

static struct error *make_room(struct txn *t)
{
    const struct message_rec *const *all;

    if (store_count(txn_store(t), CLASS_MESSAGE) < MESSAGES_MAX)
        return NULL;
    size_t n = txn_all_message(t, &all);

    for (size_t i = 0; i < n && i < n - MESSAGES_MAX + DROP_AT_ONCE && n >= MESSAGES_MAX; i++)
        TRY(txn_delete_message(t, all[i]->self));
    return NULL;
}

struct error *message_post(struct txn *t, const struct message_text *m, struct message_rec **ret)
{
    TRY(make_room(t));
    struct message_rec *row = txn_new_message(t);

    row->name = m->name;
    row->priority = m->priority;
    row->cls = (int)m->cls;
    row->obj_uuid = m->uuid;
    row->body = m->body;
    row->timestamp = now_s();
    if (ret)
        *ret = row;
    return NULL;
}

/* The class of the objects a message may be about. */
static const enum class_id class_of[CLS_MAX] = {
    [CLS_VM] = CLASS_VM,
    [CLS_HOST] = CLASS_HOST,
    [CLS_SR] = CLASS_SR,
    [CLS_POOL] = CLASS_POOL,
    [CLS_VMPP] = CLASS_VMPP,
    [CLS_VMSS] = CLASS_VMSS,
    [CLS_VDI] = CLASS_VDI,
    [CLS_PVS_PROXY] = CLASS_PVS_PROXY,
    [CLS_CERTIFICATE] = CLASS_CERTIFICATE,
};

struct error *api_message_create(struct call *c, const struct message_create_args *a,
                                 const char **ret)
{
    const struct message_text text = {
        .name = a->name,
        .priority = a->priority,
        .cls = (enum cls)a->cls,
        .uuid = a->obj_uuid,
        .body = a->body,
    };
    struct message_rec *row;
    const void *object;

    TRY(txn_read_uuid(c->txn, class_of[a->cls], a->obj_uuid, &object));
    TRY(message_post(c->txn, &text, &row));
    *ret = row->self;
    return NULL;
}

struct error *api_message_destroy(struct call *c, const struct message_destroy_args *a)
{
    return txn_delete_message(c->txn, a->self);
}

/* All or nothing. */
struct error *api_message_destroy_many(struct call *c, const struct message_destroy_many_args *a)
{
    for (size_t i = 0; i < a->messages.n; i++)
        TRY(txn_delete_message(c->txn, a->messages.v[i]));
    return NULL;
}

/* ---- message.destroy_all */

struct choice {
    const char *name, *uuid;
    int64_t priority; /* -1 = any */
    int cls;          /* -1 = any */
    int64_t before, after;
};

static struct error *choose(struct choice *ch, const char *key, const char *value)
{
    int64_t *time = streq(key, "before") ? &ch->before : streq(key, "after") ? &ch->after : NULL;

    if (streq(key, "name"))
        ch->name = value;
    else if (streq(key, "obj_uuid"))
        ch->uuid = value;
    else if (streq(key, "cls"))
        ch->cls = enum_find(&cls_info, value);
    else if (streq(key, "priority") && !number_parse_int(value, &ch->priority))
        ch->priority = -1;
    _cleanup_error_ struct error *bad = time ? datetime_parse(value, time) : NULL;

    if (bad ||
        (!time && !streq(key, "name") && !streq(key, "obj_uuid") &&
         (!streq(key, "cls") || ch->cls < 0) && (!streq(key, "priority") || ch->priority < 0)))
        return err_invalid_value(key, value);
    return NULL;
}

static bool chosen(const struct choice *ch, const struct message_rec *m)
{
    return (!ch->name || streq(m->name, ch->name)) && (!ch->uuid || streq(m->obj_uuid, ch->uuid)) &&
           (ch->priority < 0 || m->priority == ch->priority) &&
           (ch->cls < 0 || m->cls == ch->cls) && m->timestamp < ch->before &&
           m->timestamp > ch->after;
}

struct error *api_message_destroy_all(struct call *c, const struct message_destroy_all_args *a)
{
    struct choice ch = {.priority = -1, .cls = -1, .before = INT64_MAX, .after = INT64_MIN};
    const struct message_rec *const *all;
    size_t n = txn_all_message(c->txn, &all);

    for (size_t i = 0; i < a->filters.n; i++)
        TRY(choose(&ch, a->filters.k[i], a->filters.v[i]));
    for (size_t i = 0; i < n; i++)
        if (chosen(&ch, all[i]))
            TRY(txn_delete_message(c->txn, all[i]->self));
    return NULL;
}
