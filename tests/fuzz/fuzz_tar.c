/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of archives. The sum is made right first, or nothing would get past it. */
#include "fuzz/fuzz.h"
#include "stream/tar.h"

#include <assert.h>

#define SUM 148

static void check(const struct tar_member *m)
{
    _cleanup_str_ struct str text = STR_INIT;
    struct tar_member back;
    bool end;

    assert(strlen(m->name) <= TAR_NAME_MAX + 1 && m->size >= 0);
    if (strlen(m->name) > 100 || !*m->name)
        return;
    tar_add_head(&text, m->name, m->size, 0);
    struct error *e = tar_read_head((const unsigned char *)text.s, &back, &end);

    assert(!e && !end && streq(back.name, m->name) && back.size == m->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char block[TAR_BLOCK] = {0};
    struct tar_member m;
    unsigned sum = 8 * ' ';
    bool end;

    memcpy(block, data, MIN(size, sizeof(block)));
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + 8 ? 0 : block[i];
    if (size > TAR_BLOCK) /* as it came */
        sum = 0;
    else
        snprintf((char *)block + SUM, 8, "%06o", sum);
    struct error *e = tar_read_head(block, &m, &end);

    if (!e && !end)
        check(&m);
    error_free(e);
    return 0;
}
