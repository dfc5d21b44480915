/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /host_backup: what only this host knows, as tar.gz: the database and who wrote it. PUT
 * /host_restore takes it back. Disks, keys and passwords of the machine are no part of it.
 */
#include "api/http/database.h"
#include "api/http/upload.h"
#include "base/world.h"
#include "gen/class/host.h"
#include "gen/errors.h"
#include "stream/archive.h"
#include "value/json.h"

#define DATABASE "database.xml"
#define FOLDER   "host-backup/"
#define PIECE    (256u << 10)

/* ---- out ---- */

static struct error *write_out(void *ctx, const char *p, size_t n)
{
    struct transfer *t = ctx;

    return stream_write(t->stream, p, n);
}

static struct error *collect(void *ctx, const char *text, size_t n, size_t done)
{
    struct str *out = ctx;

    str_add_mem(out, text, n);
    return (int64_t)out->len > DUMP_MAX
               ? err_value_not_supported("database", "", "larger than 256 MiB")
               : NULL;
}

static char *manifest(struct transfer *t, const struct database_rows *rows)
{
    _cleanup_version_ struct version *v =
        store_find(t->daemon->store, CLASS_HOST, t->daemon->host_ref);
    const struct host_rec *h = v ? v->rec : NULL;
    _cleanup_free_ char *when = now_for_names();
    _cleanup_json_ json_t *j =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "form", 1, "time", when, "version",
                  t->daemon->version, "host", h ? h->uuid : "", "hostname", h ? h->hostname : "",
                  "schema_major", DUMP_SCHEMA_MAJOR, "schema_minor", DUMP_SCHEMA_MINOR,
                  "generation", (json_int_t)rows->generation);

    return json_dumps(j, JSON_INDENT(2));
}

static struct error *backup(struct transfer *t)
{
    const struct archive_sink sink = {.fn = write_out, .ctx = t};
    _cleanup_(database_rows_fini) struct database_rows rows = {0};
    _cleanup_str_ struct str text = STR_INIT;
    const struct database_sink memory = {.fn = collect, .ctx = &text};

    TRY(database_collect(t->daemon->store, &rows));
    _cleanup_free_ char *about = manifest(t, &rows);

    TRY(database_write(&rows, &memory));
    TRY(transfer_take(t, "application/gzip", "attachment; filename=\"host-backup.tar.gz\"", -1));
    _cleanup_archive_ struct archive *a = archive_new(ARCHIVE_TAR_GZ, now_s(), &sink);

    TRY(archive_add(a, FOLDER "manifest.json", about, strlen(about)));
    TRY(archive_add(a, FOLDER DATABASE, text.s, text.len));
    return archive_end(a);
}

const struct transfer_kind transfer_host_backup = {
    .action = HTTP_GET_HOST_BACKUP, .run = backup, .has_task = true, .is_large = true};

/* ---- in ---- */

static bool is_database(const char *name)
{
    const char *slash = strrchr(name, '/');

    return streq(slash ? slash + 1 : name, DATABASE);
}

static struct error *read_database(struct upload *u, int64_t size, struct dump_reader *r)
{
    char *buf = arena_alloc(&u->t->arena, PIECE);

    while (u->left > 0) {
        size_t n = (size_t)MIN(u->left, (int64_t)PIECE);

        TRY(upload_read(u, buf, n));
        TRY(dump_reader_feed(r, buf, n));
        TRY(transfer_progress(u->t, 0.9 * (double)(size - u->left) / (double)size));
    }
    return dump_reader_end(r);
}

static struct error *read_archive(struct upload *u, struct dump_reader *r)
{
    struct tar_member member;
    bool end = false;

    for (;;) {
        TRY(upload_next(u, &member, &end));
        if (end)
            return err_import_error("the archive holds no " DATABASE);
        if (is_database(member.name))
            return read_database(u, member.size, r);
    }
}

static struct error *receive(struct transfer *t)
{
    _cleanup_(dump_fini) struct dump dump = {0};
    _cleanup_(upload_fini) struct upload u;

    upload_begin(t, &u);
    _cleanup_dump_reader_ struct dump_reader *r =
        dump_reader_new(&t->arena, database_wanted, &dump);

    TRY(read_archive(&u, r));
    return database_apply(t, &dump);
}

/* What is wrong with the file itself has a name of its own here. */
static struct error *as_restore_error(struct error *e)
{
    if (!e || !e->code || !(str_starts(e->code, "IMPORT_ERROR") || error_is(e, ERR_INVALID_VALUE)))
        return e;
    _cleanup_free_ char *text = error_string(e);

    error_free(e);
    return err_restore_script_failed(text);
}

static struct error *restore(struct transfer *t)
{
    TRY(transfer_take(t, "application/octet-stream", NULL,
                      t->rq->head.content_length == 0 ? 0 : -1));
    if (t->rq->head.content_length == 0)
        return NULL; /* a probe */
    struct error *e = as_restore_error(receive(t));

    transfer_drain(t);
    return e;
}

const struct transfer_kind transfer_host_restore = {
    .action = HTTP_PUT_HOST_RESTORE, .run = restore, .has_task = true, .is_large = true};
