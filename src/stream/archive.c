/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/archive.h"

#include "base/str.h"
#include "stream/tar.h"

#include <assert.h>
#include <bzlib.h>
#include <time.h>
#include <zlib.h>

#define PIECE       (64u << 10)
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with the frame of gzip */

struct archive {
    enum archive_format format;
    int64_t mtime;
    struct archive_sink sink;
    union {
        z_stream z;
        bz_stream bz;
    };
    char out[PIECE];
    uint64_t written;     /* zip: bytes so far */
    struct str directory; /* zip: what stands at the end */
    unsigned n_files;
};

struct archive *archive_new(enum archive_format format, int64_t mtime,
                            const struct archive_sink *sink)
{
    struct archive *a = xnew(struct archive);
    int done = 0;

    a->format = format;
    a->mtime = mtime;
    a->sink = *sink;
    if (format == ARCHIVE_TAR_GZ)
        done = deflateInit2(&a->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
                            Z_DEFAULT_STRATEGY);
    else if (format == ARCHIVE_TAR_BZ2)
        done = BZ2_bzCompressInit(&a->bz, 9, 0, 0);
    assert(done == 0); /* else out of memory */
    return a;
}

void archive_free(struct archive *a)
{
    if (!a)
        return;
    if (a->format == ARCHIVE_TAR_GZ)
        deflateEnd(&a->z);
    else if (a->format == ARCHIVE_TAR_BZ2)
        BZ2_bzCompressEnd(&a->bz);
    str_fini(&a->directory);
    free(a);
}

static struct error *put(struct archive *a, const char *p, size_t n)
{
    a->written += n;
    return a->sink.fn(a->sink.ctx, p, n);
}

/* ---- compressed streams ---- */

static struct error *put_gzip(struct archive *a, const char *p, size_t n, bool last)
{
    int done;

    a->z.next_in = (Bytef *)(uintptr_t)p;
    a->z.avail_in = (uInt)n;
    do {
        a->z.next_out = (Bytef *)a->out;
        a->z.avail_out = PIECE;
        done = deflate(&a->z, last ? Z_FINISH : Z_NO_FLUSH);
        assert(done != Z_STREAM_ERROR);
        TRY(put(a, a->out, PIECE - a->z.avail_out));
    } while (a->z.avail_out == 0);
    return NULL;
}

static struct error *put_bzip2(struct archive *a, const char *p, size_t n, bool last)
{
    int done;

    a->bz.next_in = (char *)(uintptr_t)p;
    a->bz.avail_in = (unsigned)n;
    do {
        a->bz.next_out = a->out;
        a->bz.avail_out = PIECE;
        done = BZ2_bzCompress(&a->bz, last ? BZ_FINISH : BZ_RUN);
        assert(done >= 0);
        TRY(put(a, a->out, PIECE - a->bz.avail_out));
    } while (last ? done != BZ_STREAM_END : a->bz.avail_in > 0);
    return NULL;
}

static struct error *put_tar(struct archive *a, const char *p, size_t n, bool last)
{
    if (a->format == ARCHIVE_TAR_GZ)
        return put_gzip(a, p, n, last);
    if (a->format == ARCHIVE_TAR_BZ2)
        return n || last ? put_bzip2(a, p, n, last) : NULL;
    return put(a, p, n);
}

static struct error *add_tar(struct archive *a, const char *name, const char *p, size_t n)
{
    _cleanup_str_ struct str frame = STR_INIT;

    tar_add_head(&frame, name, (int64_t)n, a->mtime);
    TRY(put_tar(a, frame.s, frame.len, false));
    TRY(put_tar(a, p, n, false));
    str_clear(&frame);
    tar_add_padding(&frame, (int64_t)n);
    return put_tar(a, str_cstr(&frame), frame.len, false);
}

static struct error *end_tar(struct archive *a)
{
    _cleanup_str_ struct str end = STR_INIT;

    tar_add_end(&end);
    return put_tar(a, end.s, end.len, true);
}

/* ---- zip ---- */

#define ZIP_LOCAL     0x04034b50u
#define ZIP_CENTRAL   0x02014b50u
#define ZIP_END       0x06054b50u
#define ZIP_VERSION   20 /* deflate */
#define ZIP_UTF8      0x0800
#define ZIP_DEFLATED  8
#define ZIP_FROM_UNIX (3 << 8)
#define ZIP_MODE      (0100644u << 16)

static void add_number(struct str *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        str_add_char(out, (char)(v >> 8 * i & 0xff));
}

struct zipped {
    char *p; /* owned */
    size_t n;
};

static struct zipped deflate_all(const char *p, size_t n)
{
    z_stream z = {0};
    int done = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    size_t room = deflateBound(&z, (uLong)n);
    struct zipped out = {.p = xmalloc(room)};

    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out.p;
    z.avail_out = (uInt)room;
    if (!done)
        done = deflate(&z, Z_FINISH);
    assert(done == Z_STREAM_END);
    out.n = z.total_out;
    deflateEnd(&z);
    return out;
}

/* Local time as DOS counted it, here that of UTC, in steps of two seconds. */
static uint32_t dos_time(int64_t t)
{
    time_t s = (time_t)t;
    struct tm tm;

    gmtime_r(&s, &tm);
    if (tm.tm_year < 80)
        return 1u << 21 | 1u << 16;
    return (uint32_t)(tm.tm_year - 80) << 25 | (uint32_t)(tm.tm_mon + 1) << 21 |
           (uint32_t)tm.tm_mday << 16 | (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 |
           (uint32_t)tm.tm_sec / 2;
}

/* What the local head and the entry of the directory have in common. */
static void add_common(struct archive *a, struct str *out, uint32_t crc, size_t packed, size_t n,
                       const char *name)
{
    add_number(out, ZIP_VERSION, 2);
    add_number(out, ZIP_UTF8, 2);
    add_number(out, ZIP_DEFLATED, 2);
    add_number(out, dos_time(a->mtime), 4);
    add_number(out, crc, 4);
    add_number(out, (uint32_t)packed, 4);
    add_number(out, (uint32_t)n, 4);
    add_number(out, (uint32_t)strlen(name), 2);
    add_number(out, 0, 2);
}

static struct error *add_zip(struct archive *a, const char *name, const char *p, size_t n)
{
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)p, (uInt)n);
    _cleanup_str_ struct str head = STR_INIT;
    struct zipped z = deflate_all(p, n);

    add_number(&a->directory, ZIP_CENTRAL, 4);
    add_number(&a->directory, ZIP_VERSION | ZIP_FROM_UNIX, 2);
    add_common(a, &a->directory, crc, z.n, n, name);
    add_number(&a->directory, 0, 6); /* remark, disk, kind */
    add_number(&a->directory, ZIP_MODE, 4);
    add_number(&a->directory, (uint32_t)a->written, 4);
    str_add(&a->directory, name);
    a->n_files++;
    add_number(&head, ZIP_LOCAL, 4);
    add_common(a, &head, crc, z.n, n, name);
    str_add(&head, name);
    struct error *e = put(a, head.s, head.len);

    if (!e)
        e = put(a, z.p, z.n);
    free(z.p);
    return e ? e : a->written < UINT32_MAX ? NULL : error_text("the archive is too large");
}

static struct error *end_zip(struct archive *a)
{
    uint32_t start = (uint32_t)a->written, size = (uint32_t)a->directory.len;

    add_number(&a->directory, ZIP_END, 4);
    add_number(&a->directory, 0, 4);
    add_number(&a->directory, a->n_files, 2);
    add_number(&a->directory, a->n_files, 2);
    add_number(&a->directory, size, 4);
    add_number(&a->directory, start, 4);
    add_number(&a->directory, 0, 2);
    return put(a, a->directory.s, a->directory.len);
}

/* ---- */

struct error *archive_add(struct archive *a, const char *name, const char *p, size_t n)
{
    assert(n < (size_t)1 << 31);
    return a->format == ARCHIVE_ZIP ? add_zip(a, name, p, n) : add_tar(a, name, p, n);
}

struct error *archive_end(struct archive *a)
{
    return a->format == ARCHIVE_ZIP ? end_zip(a) : end_tar(a);
}
