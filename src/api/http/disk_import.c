/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PUT /import_raw_vdi: bytes into a disk. The answer goes out before the body is read, because
 * clients wait for it; what goes wrong later is told by the task, a body shorter than announced
 * too, unless what was announced is more than the disk holds. With `chunked` the body is records of
 * offset, length, data.
 */
#include "api/http/disk.h"
#include "gen/errors.h"

static struct error *fill_all(struct transfer *t, void *buf, size_t want)
{
    size_t n = 0;

    TRY(transfer_fill(t, buf, want, &n));
    return n < want ? error_text("the body ends in the middle of a record") : NULL;
}

/* Clients that do not know the length announce more than the disk holds and close. */
static struct error *check_length(int64_t length, int64_t at, int64_t size)
{
    if (length < 0 || at == length || length > size)
        return NULL;
    return error_text("the body ends after %lld of %lld bytes", (long long)at, (long long)length);
}

static struct error *copy_plain(struct transfer *t, struct nbd_disk *nbd)
{
    int64_t size = nbd_disk_size(nbd), length = t->rq->head.content_length, at = 0;
    int64_t end = length >= 0 ? length : INT64_MAX;

    while (at < end) {
        size_t n = 0, want = (size_t)MIN((int64_t)NBD_PIECE, end - at);
        char *room;

        TRY(nbd_disk_room(nbd, &room));
        TRY(transfer_fill(t, room, want, &n));
        TRY(nbd_disk_put(nbd, at, n));
        at += (int64_t)n;
        TRY(transfer_progress(t, (double)at / (double)MAX(size, 1)));
        if (n < want)
            break;
    }
    return check_length(length, at, size);
}

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

/* offset u64, length u32, data; twelve zero bytes end it. Source: XenAPI "chunked" raw import. */
static struct error *copy_chunked(struct transfer *t, struct nbd_disk *nbd)
{
    unsigned char head[12];

    for (;;) {
        TRY(fill_all(t, head, sizeof(head)));
        uint64_t offset = little(head, 8), length = little(head + 8, 4);

        if (!offset && !length)
            return NULL;
        if (offset > INT64_MAX - length)
            return error_text("a record at byte %llu lies outside any disk",
                              (unsigned long long)offset);
        for (uint64_t done = 0; done < length;) {
            size_t n = (size_t)MIN(length - done, (uint64_t)NBD_PIECE);
            char *room;

            TRY(nbd_disk_room(nbd, &room));
            TRY(fill_all(t, room, n));
            TRY(nbd_disk_put(nbd, (int64_t)(offset + done), n));
            done += n;
        }
        TRY(transfer_progress(t, (double)(offset + length) / (double)MAX(nbd_disk_size(nbd), 1)));
    }
}

static struct error *receive(struct transfer *t, struct nbd_disk *nbd)
{
    bool chunked = http_query_find(&t->rq->head, "chunked") != NULL;

    TRY(chunked ? copy_chunked(t, nbd) : copy_plain(t, nbd));
    return nbd_disk_finish(nbd);
}

/* A probe: clients first send an empty request to learn which host to talk to. */
static bool is_probe(const struct transfer *t)
{
    return t->rq->head.content_length == 0;
}

static struct error *import_disk(struct transfer *t)
{
    const char *text = transfer_param(t, "vdi"), *format = transfer_param(t, "format");
    struct host_disk disk = {0};
    const char *vdi = NULL;

    TRY(disk_format(t, format));
    if (t->rq->head.chunked) {
        t->status = 404;
        return err_internal_error("Chunked encoding is not supported here");
    }
    TRY(transfer_object(t, CLASS_VDI, text, &vdi));
    if (is_probe(t))
        return transfer_take(t, "application/octet-stream", NULL, 0);
    TRY(disk_open(t, vdi, true, &disk));
    struct error *e = transfer_take(t, "application/octet-stream", NULL, -1);

    if (!e)
        e = disk_failure(receive(t, disk.nbd));
    disk_close(t, &disk);
    return e;
}

const struct transfer_kind transfer_import_raw_vdi = {
    .action = HTTP_PUT_IMPORT_RAW_VDI, .run = import_disk, .where = disk_where, .has_task = true};
