/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed streams in pieces of any size (the first byte says how small): the same comes out
 * whatever the pieces are, up to a megabyte. */
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "stream/unpack.h"

#include <assert.h>

#define OUT_MAX (1u << 20)

struct input {
    const uint8_t *p;
    size_t n, piece;
};

static struct error *give(void *ctx, void *p, size_t n, size_t *ret_n)
{
    struct input *in = ctx;

    *ret_n = MIN(MIN(n, in->piece), in->n);
    memcpy(p, in->p, *ret_n);
    in->p += *ret_n;
    in->n -= *ret_n;
    return NULL;
}

static struct error *unpack_all(struct input in, size_t at_once, struct str *out)
{
    const struct unpack_source source = {.fn = give, .ctx = &in};
    _cleanup_unpack_ struct unpack *u = unpack_new(&source);
    size_t n = 1;

    while (n && out->len < OUT_MAX) {
        str_reserve(out, at_once + 1);
        TRY(unpack_read(u, out->s + out->len, at_once, &n));
        out->len += n;
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_str_ struct str whole = STR_INIT, pieces = STR_INIT;

    if (!size)
        return 0;
    const struct input once = {data + 1, size - 1, size},
                       often = {data + 1, size - 1, data[0] % 9 + 1};
    struct error *e = unpack_all(once, 4096, &whole);
    struct error *f = unpack_all(often, 4096, &pieces);

    assert(!e == !f);
    if (!e)
        assert(whole.len == pieces.len && memcmp(whole.s, pieces.s, whole.len) == 0);
    error_free(e);
    error_free(f);
    return 0;
}
