/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/unpack.h"

#include "base/mem.h"

#include <assert.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE       (64u << 10)
#define MAGIC_LEN   4
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with the frame of gzip */
/* What a stream may make us remember of it: the largest of a compressor's ordinary levels. */
#define ZSTD_WINDOW_LOG_MAX 27

enum form { UNKNOWN, PLAIN, GZIP, ZSTD };

struct unpack {
    struct unpack_source source;
    enum form form;
    bool source_ended;
    bool inside;  /* of a compressed frame */
    size_t at, n; /* of in: what is there and not used */
    z_stream z;
    ZSTD_DStream *zstd;
    unsigned char in[PIECE];
};

struct unpack *unpack_new(const struct unpack_source *source)
{
    struct unpack *u = xnew(struct unpack);

    u->source = *source;
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    if (u->form == GZIP)
        inflateEnd(&u->z);
    ZSTD_freeDStream(u->zstd);
    free(u);
}

/* More behind what is there; sets source_ended at the end. */
static struct error *more(struct unpack *u)
{
    size_t n = 0;

    if (u->at == u->n)
        u->at = u->n = 0;
    TRY(u->source.fn(u->source.ctx, u->in + u->n, PIECE - u->n, &n));
    u->n += n;
    u->source_ended = n == 0;
    return NULL;
}

static void choose(struct unpack *u)
{
    static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    int done = Z_OK;

    u->form = PLAIN;
    if (u->n >= 2 && u->in[0] == 0x1f && u->in[1] == 0x8b) {
        u->form = GZIP;
        done = inflateInit2(&u->z, GZIP_WINDOW);
    } else if (u->n >= sizeof(zstd) && memcmp(u->in, zstd, sizeof(zstd)) == 0) {
        u->form = ZSTD;
        u->zstd = ZSTD_createDStream();
        done = u->zstd ? Z_OK : Z_MEM_ERROR;
        if (!done)
            ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    }
    assert(done == Z_OK); /* else out of memory */
}

static struct error *take_plain(struct unpack *u, char *p, size_t n, size_t *ret_n)
{
    *ret_n = MIN(n, u->n - u->at);
    memcpy(p, u->in + u->at, *ret_n);
    u->at += *ret_n;
    return NULL;
}

/* Members may follow each other. */
static struct error *take_gzip(struct unpack *u, char *p, size_t n, size_t *ret_n)
{
    u->z.next_in = u->in + u->at;
    u->z.avail_in = (uInt)(u->n - u->at);
    u->z.next_out = (Bytef *)p;
    u->z.avail_out = (uInt)MIN(n, (size_t)1 << 30);
    size_t room = u->z.avail_out;
    int done = inflate(&u->z, Z_NO_FLUSH);

    u->at = u->n - u->z.avail_in;
    *ret_n = room - u->z.avail_out;
    u->inside = done != Z_STREAM_END;
    if (done == Z_STREAM_END && inflateReset(&u->z) != Z_OK)
        return error_text("gzip cannot begin again");
    if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR)
        return error_text("the gzip stream is broken: %s",
                          u->z.msg ? u->z.msg : "it makes no sense");
    return NULL;
}

static struct error *take_zstd(struct unpack *u, char *p, size_t n, size_t *ret_n)
{
    ZSTD_inBuffer in = {.src = u->in + u->at, .size = u->n - u->at};
    ZSTD_outBuffer out = {.dst = p, .size = n};
    size_t left = ZSTD_decompressStream(u->zstd, &out, &in);

    if (ZSTD_isError(left))
        return error_text("the zstd stream is broken: %s", ZSTD_getErrorName(left));
    u->at += in.pos;
    *ret_n = out.pos;
    u->inside = left != 0;
    return NULL;
}

static struct error *take(struct unpack *u, char *p, size_t n, size_t *ret_n)
{
    switch (u->form) {
    case GZIP:
        return take_gzip(u, p, n, ret_n);
    case ZSTD:
        return take_zstd(u, p, n, ret_n);
    default:
        return take_plain(u, p, n, ret_n);
    }
}

static struct error *begin(struct unpack *u)
{
    while (u->n < MAGIC_LEN && !u->source_ended)
        TRY(more(u));
    choose(u);
    return NULL;
}

struct error *unpack_read(struct unpack *u, void *p, size_t n, size_t *ret_n)
{
    size_t done = 0, got = 0;

    if (u->form == UNKNOWN)
        TRY(begin(u));
    for (;;) {
        /* What is inside of the decompressor comes out without new bytes, too. */
        TRY(take(u, (char *)p + done, n - done, &got));
        done += got;
        if (done == n || (u->source_ended && !got && u->at == u->n))
            break;
        if (!got && u->at == u->n)
            TRY(more(u));
    }
    *ret_n = done;
    return done < n && u->inside && u->form != PLAIN
               ? error_text("the compressed stream is cut off")
               : NULL;
}
