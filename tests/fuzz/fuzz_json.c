/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON reader and the typed decoder on anything; an accepted record must survive a round trip, and
 * its XML form must be readable. */
#include "fuzz/fuzz.h"
#include "lib/sample.h"
#include "value/json.h"
#include "value/value.h"
#include "value/xml.h"

#include <assert.h>

static struct sample *decode(struct arena *a, const char *text, size_t len)
{
    _cleanup_json_ json_t *j = NULL;
    struct sample *r = record_new(a, &sample_info);
    _cleanup_error_ struct error *e = json_parse(text, len, &j);

    if (e || !json_is_object(j))
        return NULL;
    json_object_del(j, "any"); /* would be borrowed from the tree */
    _cleanup_error_ struct error *wrong = record_from_json(a, &sample_info, j, r, NULL);

    return wrong ? NULL : r;
}

/* The first writing may still merge map keys that mean the same ("1" and "01"); after it nothing
 * changes any more. */
static struct sample *round_trip(struct arena *a, const struct sample *r)
{
    _cleanup_str_ struct str text = STR_INIT;

    json_add_record(&text, &sample_info, r, 0, 0);
    struct sample *again = decode(a, text.s, text.len);

    assert(again);
    return again;
}

static void check_flat(const struct sample *r)
{
    void *flat;
    void *block = record_flatten(&sample_info, r, 24, &flat, NULL);
    struct field_mask m = record_diff(&sample_info, r, flat);

    assert(field_mask_empty(&m));
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_str_ struct str xml = STR_INIT;
    _cleanup_json_ json_t *j = NULL;
    struct sample *r = decode(&a, (const char *)data, size);

    if (!r)
        return 0;
    struct sample *second = round_trip(&a, r);
    struct sample *third = round_trip(&a, second);
    struct field_mask m = record_diff(&sample_info, second, third);

    assert(field_mask_empty(&m));
    check_flat(r);
    xml_add_record(&xml, &sample_info, r);
    _cleanup_error_ struct error *e = xml_parse_value(xml.s, xml.len, &j);

    assert(!e);
    return 0;
}
