/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The description of an exported VM: taken or refused, and what is taken is the same when it is
 * written and read once more. */
#include "fuzz/fuzz.h"
#include "stream/ova.h"

#include <assert.h>

static void write_ova(const struct ova *o, struct str *out)
{
    ova_begin(out, &o->writer);
    for (size_t i = 0; i < o->n; i++)
        ova_add(out, &o->objects[i]);
    ova_end(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_str_ struct str once = STR_INIT, twice = STR_INIT;
    _cleanup_arena_ struct arena a = {0};
    struct ova o, back;
    struct error *e = ova_read(&a, (const char *)data, size, &o);

    if (e) {
        error_free(e);
        return 0;
    }
    write_ova(&o, &once);
    e = ova_read(&a, once.s, once.len, &back);
    assert(!e && back.n == o.n);
    write_ova(&back, &twice);
    assert(once.len == twice.len && memcmp(once.s, twice.s, once.len) == 0);
    return 0;
}
