/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML-RPC reader on anything; what it accepts must be written and read back the same. */
#include "fuzz/fuzz.h"
#include "lib/sample.h"
#include "value/value.h"
#include "value/xml.h"

#include <assert.h>

static void write_twice(const json_t *first)
{
    _cleanup_str_ struct str one = STR_INIT;
    _cleanup_str_ struct str two = STR_INIT;
    _cleanup_json_ json_t *again = NULL;

    xml_add_value(&one, &sample_type_any, &first);
    _cleanup_error_ struct error *e = xml_parse_value(one.s, one.len, &again);

    assert(!e);
    xml_add_value(&two, &sample_type_any, &again);
    assert(one.len == two.len && memcmp(one.s, two.s, one.len) == 0);
}

static void read_record(const json_t *j)
{
    _cleanup_arena_ struct arena a = {0};
    struct sample *r = record_new(&a, &sample_info);
    _cleanup_error_ struct error *e = record_from_json(&a, &sample_info, j, r, NULL);
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *again = NULL;

    if (e)
        return;
    xml_add_record(&text, &sample_info, r);
    _cleanup_error_ struct error *unreadable = xml_parse_value(text.s, text.len, &again);

    assert(!unreadable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    _cleanup_json_ json_t *value = NULL;
    _cleanup_json_ json_t *response = NULL;
    struct xml_call call;
    _cleanup_error_ struct error *a = xml_parse_value(text, size, &value);
    _cleanup_error_ struct error *b = xml_parse_response(text, size, &response);
    _cleanup_error_ struct error *c = xml_parse_call(text, size, &call);

    if (!c)
        xml_call_fini(&call);
    if (a)
        return 0;
    write_twice(value);
    read_record(value);
    return 0;
}
