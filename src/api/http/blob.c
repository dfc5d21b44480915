/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET and PUT /blob: the bytes of a binary object. Public ones are read by anybody. */
#include "api/blob/files.h"
#include "api/http/transfer.h"
#include "base/io.h"
#include "base/limit.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/class/blob_txn.h"
#include "gen/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define PIECE (64u << 10)

/* Counted, or NULL. */
static struct version *find(const struct transfer *t)
{
    const char *ref = transfer_param(t, "ref"), *uuid = transfer_param(t, "uuid");

    return *ref ? store_find(t->daemon->store, CLASS_BLOB, ref)
                : store_find_uuid(t->daemon->store, CLASS_BLOB, uuid);
}

static bool is_public(const struct transfer *t)
{
    _cleanup_version_ struct version *v = find(t);

    return v && ((const struct blob_rec *)v->rec)->public;
}

static struct error *no_such(struct transfer *t)
{
    t->status = 404;
    return err_handle_invalid("blob", *transfer_param(t, "ref") ? transfer_param(t, "ref")
                                                                : transfer_param(t, "uuid"));
}

static struct error *send_file(struct transfer *t, int fd, int64_t left)
{
    char *buf = arena_zalloc(&t->arena, PIECE);

    while (left > 0) {
        size_t n = (size_t)MIN(left, (int64_t)PIECE);

        TRY(io_read_all(fd, buf, n));
        TRY(stream_write(t->stream, buf, n));
        left -= (int64_t)n;
    }
    return NULL;
}

static struct error *get(struct transfer *t)
{
    _cleanup_version_ struct version *v = find(t);

    if (!v)
        return no_such(t);
    const struct blob_rec *b = v->rec;
    _cleanup_close_ int fd =
        open(blob_path(t->daemon, &t->arena, b->uuid), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st = {0};

    if (fd < 0 && errno != ENOENT)
        return error_errno(errno, "cannot read a blob");
    if (fd >= 0 && fstat(fd, &st) < 0)
        return error_errno(errno, "cannot look at a blob");
    TRY(transfer_take(t, b->mime_type, NULL, st.st_size));
    return send_file(t, fd, st.st_size);
}

/* ---- PUT */

struct written {
    const char *ref;
    int64_t size;
};

static struct error *write_row(void *ctx, struct txn *t)
{
    const struct written *w = ctx;
    struct blob_rec *b;

    TRY(txn_edit_blob(t, w->ref, &b));
    b->size = w->size;
    b->last_updated = now_s();
    return NULL;
}

static struct error *check_room(struct transfer *t, int64_t size)
{
    _cleanup_txn_ struct txn *x = txn_new(t->daemon->store, &t->arena);
    const struct blob_rec *const *all;
    size_t n = txn_all_blob(x, &all);
    int64_t sum = size;

    if (size < 0 || size > BLOB_MAX) {
        t->status = size < 0 ? 411 : 500;
        return err_value_not_supported("content-length", "", "a blob has at most 64 MiB");
    }
    for (size_t i = 0; i < n; i++)
        sum += all[i]->size;
    return sum > limit_of("XENOLITH_BLOBS_MAX", BLOBS_MAX) ? err_out_of_space("blobs") : NULL;
}

static struct error *receive(struct transfer *t, int fd, int64_t left)
{
    char *buf = arena_zalloc(&t->arena, PIECE);

    while (left > 0) {
        size_t n = 0;

        TRY(transfer_read(t, buf, (size_t)MIN(left, (int64_t)PIECE), &n));
        if (!n)
            return error_text("the body ends too early");
        TRY(io_write_all(fd, buf, n));
        left -= (int64_t)n;
    }
    return fsync(fd) < 0 ? error_errno(errno, "cannot flush a blob") : NULL;
}

/* Into a file of its own, which takes the place of the old one when it is whole. */
static struct error *store_body(struct transfer *t, const char *path, int64_t size)
{
    const char *part = arena_printf(&t->arena, "%s.%s", path, uuid_random().s);
    _cleanup_close_ int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(errno, "cannot make a blob");
    struct error *e = receive(t, fd, size);

    if (!e && rename(part, path) < 0)
        e = error_errno(errno, "cannot name a blob");
    if (e)
        IGNORE_ERROR(io_unlink(part));
    return e;
}

static struct error *put(struct transfer *t)
{
    int64_t size = t->rq->head.content_length;
    _cleanup_version_ struct version *v = find(t);

    if (!v)
        return no_such(t);
    const char *dir = arena_printf(&t->arena, "%s/blobs", t->daemon->state_dir);
    struct written w = {.ref = version_ref_text(v), .size = size};

    TRY(check_room(t, size));
    TRY(io_mkdir_p(dir, 0700));
    TRY(transfer_take(t, NULL, NULL, -1));
    TRY(store_body(t, blob_path(t->daemon, &t->arena, ((const struct blob_rec *)v->rec)->uuid),
                   size));
    TRY(io_fsync_dir(dir));
    return transfer_commit(t, write_row, &w);
}

const struct transfer_kind transfer_get_blob = {.action = HTTP_GET_BLOB,
                                                .where = transfer_to_master,
                                                .is_open = is_public,
                                                .run = get,
                                                .has_task = true};
const struct transfer_kind transfer_put_blob = {
    .action = HTTP_PUT_BLOB, .where = transfer_to_master, .run = put, .has_task = true};
