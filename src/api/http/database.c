/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /pool/xmldbdump: GET gives the database as it is at one moment, PUT brings one. */
#include "api/http/database.h"

#include "base/log.h"
#include "gen/errors.h"
#include "gen/host_proto.h"

#define PIECE (256u << 10)

/* ---- GET ---- */

struct sending {
    struct transfer *t;
    size_t n;
};

static struct error *send(void *ctx, const char *text, size_t n, size_t done)
{
    const struct sending *s = ctx;

    TRY(stream_write(s->t->stream, text, n));
    return transfer_progress(s->t, (double)done / (double)MAX(s->n, (size_t)1));
}

static struct error *dump(struct transfer *t)
{
    _cleanup_(database_rows_fini) struct database_rows rows = {0};

    TRY(database_collect(t->daemon->store, &rows));
    struct sending s = {.t = t, .n = rows.n};
    const struct database_sink sink = {.fn = send, .ctx = &s};

    TRY(transfer_take(t, "text/xml", "attachment; filename=\"database.xml\"", -1));
    return database_write(&rows, &sink);
}

const struct transfer_kind transfer_get_database = {.action = HTTP_GET_POOL_XML_DB_SYNC,
                                                    .where = transfer_to_master,
                                                    .run = dump,
                                                    .has_task = true,
                                                    .is_large = true};

/* ---- PUT ---- */

static struct error *read_dump(struct transfer *t, struct dump_reader *r)
{
    int64_t length = t->rq->head.content_length;
    char *buf = arena_alloc(&t->arena, PIECE);
    size_t n;

    while (t->taken < length) {
        TRY(transfer_read(t, buf, (size_t)MIN((int64_t)PIECE, length - t->taken), &n));
        if (!n)
            return err_invalid_value("database", "the body ends too early");
        TRY(dump_reader_feed(r, buf, n));
        TRY(transfer_progress(t, 0.9 * (double)t->taken / (double)length));
    }
    return dump_reader_end(r);
}

/* Best effort: files of a VM that is gone do no harm. */
static void forget_vms(struct transfer *t, char *const *uuids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct host_vm_forget_args args = {.uuid = uuids[i]};

        log_and_free(LOG_WARNING, hostd_vm_forget(t->daemon->hostd, &args, &t->arena, NULL),
                     "the host could not forget VM %s", uuids[i]);
    }
}

struct attempt {
    struct database_restore restore;
    struct VEC(char *) gone; /* of the attempt that was committed */
};

static void clear(struct attempt *a)
{
    vec_foreach (uuid, &a->gone)
        free(*uuid);
    vec_fini(&a->gone);
}

static struct error *attempt(void *ctx, struct txn *x)
{
    struct attempt *a = ctx;

    clear(a);
    TRY(database_restore_fill(&a->restore, x));
    for (size_t i = 0; i < a->restore.n_gone; i++)
        vec_add(&a->gone, xstrdup(a->restore.gone[i]));
    return NULL;
}

struct error *database_apply(struct transfer *t, const struct dump *dump)
{
    bool dry_run = transfer_flag(t, "dry_run", false);
    _cleanup_(clear) struct attempt a = {.restore = {.daemon = t->daemon, .dump = dump}};

    TRY(database_check_version(dump, transfer_flag(t, "force", false)));
    TRY(dry_run ? transfer_try(t, attempt, &a) : transfer_commit(t, attempt, &a));
    if (!dry_run && transfer_enter(t)) {
        forget_vms(t, a.gone.v, a.gone.n);
        transfer_leave(t);
    }
    return NULL;
}

static struct error *receive(struct transfer *t)
{
    _cleanup_(dump_fini) struct dump dump = {0};
    _cleanup_dump_reader_ struct dump_reader *r =
        dump_reader_new(&t->arena, database_wanted, &dump);

    TRY(read_dump(t, r));
    return database_apply(t, &dump);
}

static struct error *restore(struct transfer *t)
{
    if (t->rq->head.content_length < 0 || t->rq->head.chunked) {
        t->status = 400;
        return err_invalid_value("content-length", "a length is needed");
    }
    if (t->rq->head.content_length > DUMP_MAX) {
        t->status = 400;
        return err_invalid_value("content-length", "a database has at most 256 MiB");
    }
    TRY(transfer_take(t, NULL, NULL, -1));
    struct error *e = receive(t);

    if (e)
        transfer_drain(t);
    return e;
}

const struct transfer_kind transfer_put_database = {.action = HTTP_PUT_POOL_XML_DB_SYNC,
                                                    .where = transfer_to_master,
                                                    .run = restore,
                                                    .has_task = true,
                                                    .is_large = true};
