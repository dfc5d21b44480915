/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wrappers every call goes through: they hold the caller to the contract and count. */
#include "db/db.h"

#include <assert.h>

static void check_commit(const struct db_commit *c)
{
    assert(c->n_rows > 0);
    assert(c->who && c->task && c->call);
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct db_row *r = &c->rows[i];

        assert(*r->class_name && *r->ref);
        assert(r->expect < c->generation);
        assert(r->json || r->expect);
    }
}

struct error *db_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    return db->ops->load(db, l, ret_generation);
}

struct error *db_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    uint64_t bytes = 0;

    assert(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert(i == 0 || commits[i].generation == commits[i - 1].generation + 1);
        check_commit(&commits[i]);
        for (size_t k = 0; k < commits[i].n_rows; k++)
            bytes += commits[i].rows[k].json ? commits[i].rows[k].json_len : 0;
    }
    TRY(db->ops->commit(db, commits, n));
    db->n_commits += n;
    db->n_bytes += bytes;
    return NULL;
}

struct error *db_maintain(struct db *db)
{
    return db->ops->maintain ? db->ops->maintain(db) : NULL;
}

struct error *db_history(struct db *db, const char *ref, size_t max, void *ctx,
                         struct error *(*entry)(void *ctx, const struct db_history_entry *e))
{
    return db->ops->history(db, ref, max, ctx, entry);
}

void db_close(struct db *db)
{
    if (db)
        db->ops->close(db);
}
