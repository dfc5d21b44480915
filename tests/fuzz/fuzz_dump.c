/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Databases as XML, of all classes, in two pieces (the first byte says where they part): taken or
 * refused, and what is taken is the same when it is written and read once more. */
#include "fuzz/fuzz.h"
#include "stream/dump.h"

#include <assert.h>

static struct error *read_dump(struct arena *a, const char *text, size_t n, size_t part,
                               struct dump *ret)
{
    bool all[CLASS_MAX];

    memset(all, true, sizeof(all));
    _cleanup_dump_reader_ struct dump_reader *r = dump_reader_new(a, all, ret);

    part = MIN(part, n);
    TRY(dump_reader_feed(r, text, part));
    TRY(dump_reader_feed(r, text + part, n - part));
    return dump_reader_end(r);
}

static void write_dump(const struct dump *d, struct str *out)
{
    dump_begin(out, &d->manifest);
    vec_foreach (row, &d->rows) {
        dump_table(out, row->class_id);
        dump_row(out, row->class_id, row->ref, row->rec, 1, 2);
        dump_table_end(out);
    }
    dump_end(out);
}

static void check(const struct dump *first)
{
    _cleanup_str_ struct str once = STR_INIT, twice = STR_INIT;
    _cleanup_(dump_fini) struct dump second = {0};
    _cleanup_arena_ struct arena a = {0};

    write_dump(first, &once);
    struct error *e = read_dump(&a, once.s, once.len, once.len / 2, &second);

    assert(!e && second.rows.n == first->rows.n);
    write_dump(&second, &twice);
    assert(once.len == twice.len && memcmp(once.s, twice.s, once.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(dump_fini) struct dump d = {0};
    _cleanup_arena_ struct arena a = {0};

    if (size < 1)
        return 0;
    _cleanup_error_ struct error *e =
        read_dump(&a, (const char *)data + 1, size - 1, data[0] * 16u, &d);

    if (!e)
        check(&d);
    return 0;
}
