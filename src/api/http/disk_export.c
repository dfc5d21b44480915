/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /export_raw_vdi: the bytes of a disk. Holes are not read, but sent: raw has no other form.
 * `Range: bytes=N-` asks for those from N on, after a download that broke off. Other ranges are
 * answered with all bytes, which RFC 9110 leaves to the server.
 */
#include "api/http/disk.h"
#include "gen/class/VDI.h"
#include "gen/errors.h"

#include <ctype.h>
#include <errno.h>

#define TYPE "application/octet-stream"

static const char zeroes[64 << 10];

static struct error *send_zeroes(struct transfer *t, size_t len)
{
    while (len) {
        size_t n = MIN(len, sizeof(zeroes));

        TRY(stream_write(t->stream, zeroes, n));
        len -= n;
    }
    return NULL;
}

static struct error *send_all(struct transfer *t, struct nbd_disk *nbd, int64_t from)
{
    int64_t sent = from, size = nbd_disk_size(nbd);

    for (;;) {
        const void *data = NULL;
        size_t len = 0;

        TRY(nbd_disk_next(nbd, &data, &len));
        if (!len)
            return NULL;
        TRY(data ? stream_write(t->stream, data, len) : send_zeroes(t, len));
        sent += (int64_t)len;
        TRY(transfer_progress(t, (double)sent / (double)size));
    }
}

/* 0: all of it is wanted. */
static int64_t first_byte(const struct transfer *t)
{
    const char *range = http_header_find(&t->rq->head, "range");
    char *end;

    if (!range || !str_starts(range, "bytes=") || !isdigit((unsigned char)range[6]))
        return 0;
    errno = 0;
    int64_t n = strtoll(range + 6, &end, 10);

    return !errno && streq(end, "-") ? n : 0;
}

static struct error *send_disk(struct transfer *t, struct nbd_disk *nbd, const char *file)
{
    int64_t from = first_byte(t), size = nbd_disk_size(nbd);

    if (from >= size && from) {
        t->status = 416;
        return err_invalid_value("range", http_header_find(&t->rq->head, "range"));
    }
    TRY(nbd_disk_skip(nbd, from));
    TRY(from ? transfer_take_from(t, TYPE, file, from, size) : transfer_take(t, TYPE, file, size));
    return disk_failure(send_all(t, nbd, from));
}

static struct error *export_disk(struct transfer *t)
{
    const char *text = transfer_param(t, "vdi"), *format = transfer_param(t, "format");
    struct host_disk disk = {0};
    const char *vdi = NULL;

    TRY(disk_format(t, format));
    TRY(transfer_object(t, CLASS_VDI, text, &vdi));
    _cleanup_version_ struct version *v = store_find(t->daemon->store, CLASS_VDI, vdi);

    TRY(disk_open(t, vdi, false, &disk));
    const char *file = arena_printf(&t->arena, "attachment; filename=\"%s.raw\"",
                                    v ? ((const struct vdi_rec *)v->rec)->uuid : "disk");
    struct error *e = send_disk(t, disk.nbd, file);

    disk_close(t, &disk);
    return e;
}

const struct transfer_kind transfer_export_raw_vdi = {
    .action = HTTP_GET_EXPORT_RAW_VDI, .run = export_disk, .where = disk_where, .has_task = true};
