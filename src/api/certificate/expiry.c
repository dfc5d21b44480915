/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates that end soon: a message at 30, 14 and 7 days before, and one when it has happened.
 * A later message takes the place of the earlier one.
 */
#include "api/certificate/certificate.h"
#include "api/chores.h"
#include "api/message/post.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"

#define DAY_S 86400

static const struct {
    int days;
    int64_t priority;
    const char *word;
} stages[] = {
    {0, 1, "EXPIRED"}, {7, 1, "EXPIRING_07"}, {14, 2, "EXPIRING_14"}, {30, 3, "EXPIRING_30"}};

/* The beginning of a message's name. */
static const char *kind_of(const struct certificate_rec *c)
{
    switch (c->type) {
    case CERTIFICATE_TYPE_CA:
        return "POOL_CA_CERTIFICATE_";
    case CERTIFICATE_TYPE_HOST:
        return "HOST_SERVER_CERTIFICATE_";
    case CERTIFICATE_TYPE_HOST_INTERNAL:
        return "HOST_INTERNAL_CERTIFICATE_";
    default:
        return "POOL_PINNED_CERTIFICATE_";
    }
}

static bool is_about(const struct message_rec *m, const char *kind, const char *uuid)
{
    return str_starts(m->name, kind) && streq(m->obj_uuid, uuid);
}

/* What was told of the certificate before goes. *ret: this was told already. */
static struct error *take_back(struct txn *t, const char *kind, const char *name, const char *uuid,
                               const char *body, bool *ret)
{
    const struct message_rec *const *all;
    size_t n = txn_all_message(t, &all);

    *ret = false;
    for (size_t i = 0; i < n; i++) {
        if (!is_about(all[i], kind, uuid) || !streq(all[i]->body, body))
            continue;
        if (streq(all[i]->name, name))
            *ret = true;
        else
            TRY(txn_delete_message(t, all[i]->self));
    }
    return NULL;
}

static struct error *tell(struct txn *t, const struct certificate_rec *c, size_t stage,
                          const char *pool)
{
    const char *kind = kind_of(c), *end = certificate_time(txn_arena(t), c->not_after);
    const struct host_rec *host = txn_find_host(t, c->host);
    const struct pool_rec *p = txn_find_pool(t, pool);
    const char *body = arena_printf(
        txn_arena(t),
        "<body><message>The certificate expires.</message><date>%s</date>%s%s%s</body>", end,
        *c->name ? "<name>" : "", c->name, *c->name ? "</name>" : "");
    const struct message_text text = {
        .name = arena_printf(txn_arena(t), "%s%s", kind, stages[stage].word),
        .priority = stages[stage].priority,
        .cls = host ? CLS_HOST : CLS_POOL,
        .uuid = host ? host->uuid
                : p  ? p->uuid
                     : "",
        .body = body,
    };
    bool told;

    TRY(take_back(t, kind, text.name, text.uuid, body, &told));
    return told ? NULL : message_post(t, &text, NULL);
}

struct error *api_certificates_expire(struct daemon *d)
{
    const struct commit_info info = {.who = "", .task = "", .call = "certificates expire"};
    const struct certificate_rec *const *all;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    _cleanup_txn_ struct txn *t = txn_new(d->store, &a);
    size_t n = txn_all_certificate(t, &all);

    for (size_t i = 0; i < n; i++) {
        int64_t left = all[i]->not_after - now_s();
        size_t stage = 0;

        while (stage < ARRAY_SIZE(stages) && left > (int64_t)stages[stage].days * DAY_S)
            stage++;
        if (stage < ARRAY_SIZE(stages))
            TRY(tell(t, all[i], stage, d->pool_ref));
    }
    return txn_has_writes(t) ? txn_commit(t, &info) : NULL;
}
