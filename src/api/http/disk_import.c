/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PUT /import_raw_vdi: bytes into a disk, or into a new one of a repository. The answer goes out
 * before the body is read, because clients wait for it; what goes wrong later is told by the task,
 * a body shorter than announced too, unless what was announced is more than the disk holds. With
 * `chunked` the body is records of offset, length, data.
 *
 * Of a body that ends too early the disk keeps what came, and the failure says how much that is:
 * whoever sends it may go on from there, with records.
 */
#include "api/http/disk.h"
#include "base/log.h"
#include "gen/errors.h"

/* How far the body is in the disk, from its start, and how it broke off. */
struct received {
    int64_t at;
    struct error *cut; /* NULL = it ended, perhaps too early */
};

/* Clients that do not know the length announce more than the disk holds and close. */
static struct error *check_length(int64_t length, int64_t at, int64_t size)
{
    if (length < 0 || at == length || length > size)
        return NULL;
    return error_text("the body ends after %lld of %lld bytes", (long long)at, (long long)length);
}

static struct error *copy_plain(struct transfer *t, struct nbd_disk *nbd, struct received *r)
{
    int64_t size = nbd_disk_size(nbd), length = t->rq->head.content_length;
    int64_t end = length >= 0 ? length : INT64_MAX;

    while (r->at < end && !r->cut) {
        size_t n = 0, want = (size_t)MIN((int64_t)NBD_PIECE, end - r->at);
        char *room;

        TRY(nbd_disk_room(nbd, &room));
        r->cut = transfer_fill(t, room, want, &n);
        TRY(nbd_disk_put(nbd, r->at, n));
        r->at += (int64_t)n;
        TRY(transfer_progress(t, (double)r->at / (double)MAX(size, 1)));
        if (n < want)
            break;
    }
    return r->cut ? NULL : check_length(length, r->at, size);
}

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static struct error *cut_record(const struct received *r)
{
    return error_text("the body ends after %lld bytes of the disk, in the middle of a record",
                      (long long)r->at);
}

static struct error *copy_record(struct transfer *t, struct nbd_disk *nbd, int64_t offset,
                                 int64_t length, struct received *r)
{
    for (r->at = offset; r->at < offset + length;) {
        size_t n = 0, want = (size_t)MIN(offset + length - r->at, (int64_t)NBD_PIECE);
        char *room;

        TRY(nbd_disk_room(nbd, &room));
        r->cut = transfer_fill(t, room, want, &n);
        TRY(nbd_disk_put(nbd, r->at, n));
        r->at += (int64_t)n;
        if (r->cut || n < want)
            return r->cut ? NULL : cut_record(r);
    }
    return transfer_progress(t, (double)r->at / (double)MAX(nbd_disk_size(nbd), 1));
}

/* offset u64, length u32, data; twelve zero bytes end it. Source: XenAPI "chunked" raw import. */
static struct error *copy_chunked(struct transfer *t, struct nbd_disk *nbd, struct received *r)
{
    unsigned char head[12];

    while (!r->cut) {
        size_t n = 0;

        r->cut = transfer_fill(t, head, sizeof(head), &n);
        if (r->cut)
            return NULL;
        if (n < sizeof(head))
            return cut_record(r);
        uint64_t offset = little(head, 8), length = little(head + 8, 4);

        if (!offset && !length)
            return NULL;
        if (offset > INT64_MAX - length)
            return error_text("a record at byte %llu lies outside any disk",
                              (unsigned long long)offset);
        TRY(copy_record(t, nbd, (int64_t)offset, (int64_t)length, r));
    }
    return NULL;
}

/* What a broken connection left is in the disk before anybody hears of it. */
static struct error *receive(struct transfer *t, struct nbd_disk *nbd)
{
    bool chunked = http_query_find(&t->rq->head, "chunked") != NULL;
    struct received r = {0};
    _cleanup_error_ struct error *failed =
        chunked ? copy_chunked(t, nbd, &r) : copy_plain(t, nbd, &r);
    _cleanup_error_ struct error *cut = r.cut;

    if (failed && (failed->code || failed->errnum))
        return TAKE_PTR(failed); /* the disk, or somebody who cancels */
    TRY(nbd_disk_finish(nbd));
    if (cut && error_is(cut, ERR_TASK_CANCELLED))
        return TAKE_PTR(cut);
    if (cut) {
        _cleanup_free_ char *why = error_string(cut);

        return error_text("the body ends after %lld bytes of the disk: %s", (long long)r.at, why);
    }
    return TAKE_PTR(failed);
}

/* A probe: clients first send an empty request to learn which host to talk to. */
static bool is_probe(const struct transfer *t)
{
    return t->rq->head.content_length == 0;
}

static struct error *fill_disk(struct transfer *t, const char *vdi)
{
    struct host_disk disk = {0};

    TRY(disk_open(t, vdi, true, &disk));
    struct error *e = transfer_take(t, "application/octet-stream", NULL, -1);

    if (!e)
        e = disk_failure(receive(t, disk.nbd));
    disk_close(t, &disk);
    return e;
}

/* The disk is as long as the body. One that did not get all of it is not left behind. */
static struct error *fill_new_disk(struct transfer *t)
{
    const char *vdi;

    if (http_query_find(&t->rq->head, "chunked"))
        return err_invalid_value("vdi", "records go into a disk that is there");
    TRY(disk_make(t, t->rq->head.content_length, &vdi));
    struct error *e = fill_disk(t, vdi);

    if (e)
        log_and_free(LOG_WARNING, disk_unmake(t, vdi), "cannot remove the disk of an import");
    else
        transfer_result(t, json_string(vdi));
    return e;
}

static struct error *import_disk(struct transfer *t)
{
    const char *text = transfer_param(t, "vdi"), *format = transfer_param(t, "format");
    bool makes = !*text && *transfer_param(t, "sr_id");
    const char *object = NULL;

    TRY(disk_format(t, format));
    if (t->rq->head.chunked) {
        t->status = 404;
        return err_internal_error("Chunked encoding is not supported here");
    }
    if (makes)
        TRY(transfer_object(t, CLASS_SR, transfer_param(t, "sr_id"), &object));
    else
        TRY(transfer_object(t, CLASS_VDI, text, &object));
    if (is_probe(t))
        return transfer_take(t, "application/octet-stream", NULL, 0);
    return makes ? fill_new_disk(t) : fill_disk(t, object);
}

const struct transfer_kind transfer_import_raw_vdi = {
    .action = HTTP_PUT_IMPORT_RAW_VDI, .run = import_disk, .where = disk_where, .has_task = true};
