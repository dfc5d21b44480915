/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/upload.h"

#include "gen/errors.h"

#include <assert.h>

static struct error *source(void *ctx, void *p, size_t n, size_t *ret_n)
{
    return transfer_read(ctx, p, n, ret_n);
}

void upload_begin(struct transfer *t, struct upload *ret)
{
    const struct unpack_source from = {.fn = source, .ctx = t};

    *ret = (struct upload){.t = t, .unpack = unpack_new(&from)};
}

void upload_fini(struct upload *u)
{
    unpack_free(u->unpack);
}

/* A system error is about the bytes, unless it is about the connection. */
static struct error *as_import_error(struct error *e)
{
    if (!e || e->code || e->errnum)
        return e;
    struct error *told = err_import_error(e->detail);

    error_free(e);
    return told;
}

static struct error *read_exactly(struct upload *u, void *p, size_t n)
{
    size_t got = 0;

    TRY(as_import_error(unpack_read(u->unpack, p, n, &got)));
    return got < n ? err_import_error_premature_eof() : NULL;
}

static struct error *pass_over(struct upload *u)
{
    int64_t left = u->left + (int64_t)u->padding;
    char buf[4096];

    while (left > 0) {
        size_t n = (size_t)MIN(left, (int64_t)sizeof(buf));

        TRY(read_exactly(u, buf, n));
        left -= (int64_t)n;
    }
    u->left = 0;
    u->padding = 0;
    return NULL;
}

struct error *upload_next(struct upload *u, struct tar_member *ret, bool *ret_end)
{
    unsigned char block[TAR_BLOCK];

    TRY(pass_over(u));
    TRY(read_exactly(u, block, sizeof(block)));
    TRY(as_import_error(tar_read_head(block, ret, ret_end)));
    if (!*ret_end) {
        u->left = ret->size;
        u->padding = tar_padding(ret->size);
    }
    return NULL;
}

struct error *upload_read(struct upload *u, void *p, size_t n)
{
    assert((int64_t)n <= u->left);
    TRY(read_exactly(u, p, n));
    u->left -= (int64_t)n;
    return NULL;
}
