/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decorator: one line of text for every call to the backend under it. */
#include "base/str.h"
#include "base/world.h"
#include "db/db.h"

#include <inttypes.h>

struct db_trace {
    struct db db;
    struct db *under;
    void *ctx;
    void (*line)(void *ctx, const char *text);
};

struct counted_loader {
    const struct db_loader *to;
    size_t rows;
    size_t tombstones;
};

static struct db_trace *trace_of(struct db *db)
{
    return container_of(db, struct db_trace, db);
}

/* Ends a line with how the call went, hands it out and passes the error on. */
static struct error *finish_line(const struct db_trace *t, struct str *text, int64_t start,
                                 struct error *e)
{
    if (e) {
        _cleanup_free_ char *why = error_string(e);

        str_printf(text, ": failed: %s", why);
    } else {
        str_printf(text, ": ok, %" PRId64 " us", mono_us() - start);
    }
    t->line(t->ctx, text->s);
    return e;
}

static struct error *count_row(void *ctx, const char *class_name, const char *ref,
                               uint64_t generation, uint64_t created, const char *json,
                               size_t json_len)
{
    struct counted_loader *c = ctx;

    c->rows++;
    return c->to->row(c->to->ctx, class_name, ref, generation, created, json, json_len);
}

static struct error *count_tombstone(void *ctx, const char *class_name, const char *ref,
                                     uint64_t generation, uint64_t created)
{
    struct counted_loader *c = ctx;

    c->tombstones++;
    return c->to->tombstone(c->to->ctx, class_name, ref, generation, created);
}

static struct error *trace_load(struct db *db, const struct db_loader *l, uint64_t *ret_generation)
{
    struct db_trace *t = trace_of(db);
    struct counted_loader c = {.to = l};
    const struct db_loader counting = {.ctx = &c, .row = count_row, .tombstone = count_tombstone};
    _cleanup_str_ struct str text = STR_INIT;
    int64_t start = mono_us();
    struct error *e = db_load(t->under, &counting, ret_generation);

    str_printf(&text, "load: %zu rows, %zu tombstones", c.rows, c.tombstones);
    if (!e)
        str_printf(&text, ", generation %" PRIu64, *ret_generation);
    return finish_line(t, &text, start, e);
}

static void add_commit(struct str *text, const struct db_commit *c)
{
    str_printf(text, "commit %" PRIu64 " %s", c->generation, c->call);
    if (*c->who)
        str_printf(text, " by %s", c->who);
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct db_row *r = &c->rows[i];

        str_printf(text, "%s %s %s", i ? "," : ":", r->class_name, r->ref);
        if (!r->json)
            str_add(text, " deleted");
        else
            str_printf(text, " %s %zu bytes", r->expect ? "changed" : "new", r->json_len);
    }
}

static struct error *trace_commit(struct db *db, const struct db_commit *commits, size_t n)
{
    struct db_trace *t = trace_of(db);
    _cleanup_str_ struct str text = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        str_clear(&text);
        add_commit(&text, &commits[i]);
        t->line(t->ctx, text.s);
    }
    int64_t start = mono_us();
    struct error *e = db_commit(t->under, commits, n);

    t->db.n_flushes = t->under->n_flushes;
    t->db.broken = t->under->broken;
    str_clear(&text);
    str_printf(&text, "flush of %zu commits", n);
    return finish_line(t, &text, start, e);
}

static struct error *trace_history(struct db *db, const char *ref, size_t max, void *ctx,
                                   struct error *(*entry)(void *ctx,
                                                          const struct db_history_entry *e))
{
    struct db_trace *t = trace_of(db);
    _cleanup_str_ struct str text = STR_INIT;
    int64_t start = mono_us();
    struct error *e = db_history(t->under, ref, max, ctx, entry);

    str_printf(&text, "history of %s", ref ? ref : "everything");
    return finish_line(t, &text, start, e);
}

static struct error *trace_maintain(struct db *db)
{
    struct db_trace *t = trace_of(db);
    _cleanup_str_ struct str text = STR_INIT;
    int64_t start = mono_us();

    t->under->limits = db->limits;
    struct error *e = db_maintain(t->under);

    t->db.n_flushes = t->under->n_flushes;
    t->db.broken = t->under->broken;
    str_add(&text, "maintain");
    return finish_line(t, &text, start, e);
}

static void trace_close(struct db *db)
{
    struct db_trace *t = trace_of(db);

    db_close(t->under);
    free(t);
}

static const struct db_ops trace_ops = {
    .name = "trace",
    .load = trace_load,
    .commit = trace_commit,
    .history = trace_history,
    .maintain = trace_maintain,
    .close = trace_close,
};

struct db *db_trace_new(struct db *under, void *ctx, void (*line)(void *ctx, const char *text))
{
    struct db_trace *t = xnew(struct db_trace);

    t->db.ops = &trace_ops;
    t->db.limits = under->limits;
    t->db.n_flushes = under->n_flushes;
    t->under = under;
    t->ctx = ctx;
    t->line = line;
    return &t->db;
}
