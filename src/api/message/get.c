/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading messages. Records are served from the rows like those of any class. */
#include "gen/class/message_txn.h"
#include "gen/msg/message.h"
#include "model/filter.h"
#include "rpc/call.h"

struct question {
    int cls; /* -1 = any */
    const char *uuid;
    int64_t since;
    const struct filter *filter;
};

static bool fits(const struct question *q, const struct message_rec *m)
{
    if (q->cls >= 0 && (m->cls != q->cls || !streq(m->obj_uuid, q->uuid)))
        return false;
    if (m->timestamp < q->since)
        return false;
    return !q->filter || filter_match(q->filter, &message_rec_info, m, m->self);
}

static void find(struct call *c, const struct question *q, struct map_ref_message_rec *ret)
{
    const struct message_rec *const *all;
    size_t n = txn_all_message(c->txn, &all), found = 0;
    const char **k = arena_array(c->arena, const char *, n);
    struct message_rec *v = arena_array(c->arena, struct message_rec, n);

    for (size_t i = 0; i < n; i++) {
        if (!fits(q, all[i]))
            continue;
        k[found] = all[i]->self;
        v[found++] = *all[i];
    }
    *ret = (struct map_ref_message_rec){.n = found, .k = k, .v = v};
}

struct error *api_message_get(struct call *c, const struct message_get_args *a,
                              struct map_ref_message_rec *ret)
{
    const struct question q = {.cls = a->cls, .uuid = a->obj_uuid, .since = a->since};

    find(c, &q, ret);
    return NULL;
}

struct error *api_message_get_since(struct call *c, const struct message_get_since_args *a,
                                    struct map_ref_message_rec *ret)
{
    const struct question q = {.cls = -1, .since = a->since};

    find(c, &q, ret);
    return NULL;
}

struct error *api_message_get_all_records(struct call *c,
                                          const struct message_get_all_records_args *a,
                                          struct map_ref_message_rec *ret)
{
    const struct question q = {.cls = -1};

    find(c, &q, ret);
    return NULL;
}

struct error *api_message_get_all_records_where(struct call *c,
                                                const struct message_get_all_records_where_args *a,
                                                struct map_ref_message_rec *ret)
{
    struct question q = {.cls = -1};

    TRY(filter_parse(c->arena, a->expr, &message_rec_info, &q.filter));
    find(c, &q, ret);
    return NULL;
}

struct error *api_message_get_all(struct call *c, const struct message_get_all_args *a,
                                  struct set_ref *ret)
{
    const struct message_rec *const *all;
    size_t n = txn_all_message(c->txn, &all);
    const char **v = arena_array(c->arena, const char *, n);

    for (size_t i = 0; i < n; i++)
        v[i] = all[i]->self;
    *ret = (struct set_ref){.n = n, .v = v};
    return NULL;
}

struct error *api_message_get_record(struct call *c, const struct message_get_record_args *a,
                                     struct message_rec *ret)
{
    const struct message_rec *m;

    TRY(txn_message(c->txn, a->self, &m));
    *ret = *m;
    return NULL;
}

struct error *api_message_get_by_uuid(struct call *c, const struct message_get_by_uuid_args *a,
                                      const char **ret)
{
    const struct message_rec *m;

    TRY(txn_message_by_uuid(c->txn, a->uuid, &m));
    *ret = m->self;
    return NULL;
}
