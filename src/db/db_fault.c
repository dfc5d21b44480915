/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decorator: lets one chosen commit fail, before or after the backend under it has made it durable.
 */
#include "base/mem.h"
#include "db/db.h"

#include <errno.h>

struct db_fault {
    struct db db;
    struct db *under;
    uint64_t nth; /* counts down; 0 = not armed */
    bool after;
};

static struct db_fault *fault_of(struct db *db)
{
    return container_of(db, struct db_fault, db);
}

static struct error *fault_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    return db_load(fault_of(db)->under, l, ret_generation);
}

static struct error *fault_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    struct db_fault *f = fault_of(db);
    bool now = f->nth && --f->nth == 0;

    if (now && !f->after)
        return error_errno(EIO, "injected fault before the commit");
    struct error *e = db_commit(f->under, commits, n);

    f->db.n_flushes = f->under->n_flushes;
    f->db.broken = f->under->broken;
    if (now && !e)
        return error_errno(EIO, "injected fault after the commit");
    return e;
}

static struct error *fault_history(struct db *db, const char *ref, size_t max, void *ctx,
                                   struct error *(*entry)(void *ctx,
                                                          const struct db_history_entry *e))
{
    return db_history(fault_of(db)->under, ref, max, ctx, entry);
}

static struct error *fault_maintain(struct db *db)
{
    struct db_fault *f = fault_of(db);

    f->under->limits = db->limits;
    struct error *e = db_maintain(f->under);

    f->db.n_flushes = f->under->n_flushes;
    f->db.broken = f->under->broken;
    return e;
}

static void fault_close(struct db *db)
{
    struct db_fault *f = fault_of(db);

    db_close(f->under);
    free(f);
}

static const struct db_ops fault_ops = {
    .name = "fault",
    .load = fault_load,
    .commit = fault_commit,
    .history = fault_history,
    .maintain = fault_maintain,
    .close = fault_close,
};

struct db *db_fault_new(struct db *under, uint64_t nth, bool after)
{
    struct db_fault *f = xnew(struct db_fault);

    f->db.ops = &fault_ops;
    f->db.limits = under->limits;
    f->db.n_flushes = under->n_flushes;
    f->under = under;
    f->nth = nth;
    f->after = after;
    return &f->db;
}
