/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the store of any class (the first byte), as a damaged or a newer database may hold them:
 * taken or refused, and what is taken is the same when it is written and read once more. */
#include "fuzz/fuzz.h"
#include "gen/classes.h"
#include "value/json.h"

#include <assert.h>

static struct error *read_row(struct arena *a, const struct struct_info *si, const char *text,
                              size_t len, void **ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(json_parse(text, len, &j));
    *ret = record_new(a, si);
    return record_from_json(a, si, j, *ret, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_str_ struct str once = STR_INIT, twice = STR_INIT;
    void *rec;

    if (size < 2)
        return 0;
    const struct struct_info *si = classes[1 + data[0] % (CLASS_MAX - 1)].info;
    struct error *e = si ? read_row(&a, si, (const char *)data + 1, size - 1, &rec) : NULL;

    if (e || !si) {
        error_free(e);
        return 0;
    }
    json_add_stored(&once, si, rec);
    e = read_row(&a, si, once.s, once.len, &rec);
    assert(!e);
    json_add_stored(&twice, si, rec);
    assert(once.len == twice.len && memcmp(once.s, twice.s, once.len) == 0);
    return 0;
}
