/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies, JSON and XML of values of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/sample.h"
#include "value/json.h"
#include "value/number.h"
#include "value/value.h"
#include "value/xml.h"

#include <float.h>
#include <math.h>

#define JSON(text) test_json(text)

static json_t *test_json(const char *text)
{
    json_t *j = NULL;
    struct error *e = json_parse(text, strlen(text), &j);

    assert_null(e);
    return j;
}

static void assert_same_sample(const struct sample *a, const struct sample *b)
{
    struct field_mask m = record_diff(&sample_info, a, b);

    for (int i = 0; i < F_MAX; i++) {
        if (field_mask_has(&m, i))
            fail_msg("field %s differs", sample_info.fields[i].name);
    }
}

/* ---- memory ---- */

static void defaults_and_zero_values(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    const struct sample *r = record_new(&a, &sample_info);
    struct sample z;

    assert_string_equal(r->name_label, "unnamed");
    assert_string_equal(r->self, REF_NULL);
    assert_int_equal(r->part.weight, 1);

    struct struct_info bare = sample_info;
    struct type t = {.kind = K_RECORD, .size = sizeof(z), .record = &bare};

    bare.defaults = NULL;
    memset(&z, 0xff, sizeof(z));
    value_zero(&t, &z);
    assert_string_equal(z.name_label, "");
    assert_string_equal(z.owner, REF_NULL);
    assert_string_equal(z.self, REF_NULL);
    assert_null(z.limit);
    assert_int_equal(z.tags.n, 0);
    assert_int_equal(z.part.weight, 1); /* its own defaults */
}

static void copies_are_deep_and_equal(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    struct sample *c = record_copy(&a, &sample_info, &sample_full);

    assert_same_sample(c, &sample_full);
    assert_string_equal(c->self, "OpaqueRef:self");
    assert_ptr_not_equal(c->self, sample_full.self);
    assert_ptr_not_equal(c->name_label, sample_full.name_label);
    assert_ptr_not_equal(c->tags.v, sample_full.tags.v);
    assert_ptr_not_equal(c->limit, sample_full.limit);
    assert_ptr_not_equal(((const struct set *)c->keys.v)->v, sample_full.tags.v);

    struct map m;

    value_copy(&a, &sample_type_map_string, &m, &sample_full.other_config);
    assert_true(value_equal(&sample_type_map_string, &m, &sample_full.other_config));
    assert_string_equal(map_string_find(&m, ""), "line\nbreak");
    assert_null(map_string_find(&m, "K"));
    assert_true(set_string_has(&c->tags, "a"));
    assert_false(set_string_has(&c->tags, "A"));
}

static void flat_records_need_nothing_else(void **state)
{
    struct sample *r;
    size_t size;
    char *block;

    {
        /* The source goes before the flat copy is looked at. */
        _cleanup_arena_ struct arena a = {0};
        struct sample *c = record_copy(&a, &sample_info, &sample_full);

        block = record_flatten(&sample_info, c, 17, (void **)&r, &size);
    }
    assert_same_sample(r, &sample_full);
    assert_string_equal(r->self, "OpaqueRef:self");
    assert_int_equal((uintptr_t)r % 16, 0);
    assert_true((char *)r >= block + 17);
    for (int i = 0; i < 17; i++)
        assert_int_equal(block[i], 0);
    assert_true(r->name_label >= block && r->name_label < block + size);
    assert_true((const char *)r->parts.v >= block && (const char *)r->parts.v < block + size);
    free(block);
}

static void differences_are_found_field_by_field(void **state)
{
    struct sample s = sample_full;
    static const int64_t other_limit = -2;
    static const char *const other_keys[] = {"k", "", "<&>"};
    static const char *const other_values[] = {"v", "line\nbreak", "x"};
    struct map other = {.n = 3, .k = other_keys, .v = other_values};

    assert_true(field_mask_empty(&(struct field_mask){0}));
    s.self = "OpaqueRef:else"; /* not a field */
    struct field_mask m = record_diff(&sample_info, &s, &sample_full);

    assert_true(field_mask_empty(&m));
    s.limit = &other_limit;
    s.other_config = other;
    s.load = NAN;
    s.tags.n = 1;
    s.hidden = "x";
    s.part.weight++;
    m = record_diff(&sample_info, &s, &sample_full);
    for (int i = 0; i < F_MAX; i++) {
        bool expected = i == F_LIMIT || i == F_OTHER_CONFIG || i == F_LOAD || i == F_TAGS ||
                        i == F_HIDDEN || i == F_PART;

        assert_int_equal(field_mask_has(&m, i), expected);
    }
    m = record_diff(&sample_info, &s, &s);
    assert_true(field_mask_empty(&m)); /* NaN is itself */
    s.limit = NULL;
    assert_false(value_equal(&sample_type_option_int, &s.limit, &sample_full.limit));
}

static void fields_are_found_by_both_names(void **state)
{
    assert_int_equal(field_find(&sample_info, "name_label"), F_NAME_LABEL);
    assert_int_equal(field_find(&sample_info, "name__label"), -1);
    assert_int_equal(field_find_column(&sample_info, "name__label"), F_NAME_LABEL);
    assert_int_equal(field_find_column(&sample_info, "name_label"), -1);
}

/* ---- scalars ---- */

static void assert_float_text(double v, const char *text, const char *exact)
{
    _cleanup_str_ struct str a = STR_INIT;
    _cleanup_str_ struct str b = STR_INIT;

    number_add_float(&a, v);
    number_add_float_exact(&b, v);
    assert_string_equal(a.s, text);
    assert_string_equal(b.s, exact);
}

static void floats_have_sixteen_digits(void **state)
{
    assert_float_text(0, "0", "0");
    assert_float_text(-0.5, "-0.5", "-0.5");
    assert_float_text(0.1, "0.1", "0.1");
    assert_float_text(0.1 + 0.2, "0.3", "0.30000000000000004");
    assert_float_text(1e20, "1e+20", "1e+20");
    assert_float_text(123456789012345.0, "123456789012345", "123456789012345");
    assert_float_text(NAN, "0", "0");
    assert_float_text(INFINITY, "1.797693134862315e+308", "1.797693134862315e+308");
    assert_float_text(-DBL_MAX, "-1.797693134862315e+308", "-1.797693134862315e+308");
}

static void assert_date(const char *text, int64_t expected)
{
    int64_t t = 42;
    struct error *e = datetime_parse(text, &t);

    if (e)
        fail_msg("%s", e->detail);
    assert_int_equal(t, expected);
}

static void assert_no_date(const char *text)
{
    int64_t t = 42;
    struct error *e = datetime_parse(text, &t);

    if (!e)
        fail_msg("\"%s\" was taken for a date", text);
    assert_int_equal(t, 42);
    error_free(e);
}

static void dates_in_all_accepted_forms(void **state)
{
    assert_date("20240131T12:34:56Z", 1706704496);
    assert_date("20240131T12:34:56", 1706704496);
    assert_date("2024-01-31T12:34:56Z", 1706704496);
    assert_date("2024-01-31T12:34:56.789Z", 1706704496);
    assert_date("20240131T123456Z", 1706704496);
    assert_date("20240131T14:34:56+02:00", 1706704496);
    assert_date("20240131T14:34:56+0200", 1706704496);
    assert_date("20240131T10:34:56-02", 1706704496);
    assert_date("19700101T00:00:00Z", 0);
    assert_date("19691231T23:59:59Z", -1);
    assert_date("20000229T00:00:00Z", 951782400);
    assert_no_date("");
    assert_no_date("20240131");
    assert_no_date("20230229T00:00:00Z");
    assert_no_date("20240132T00:00:00Z");
    assert_no_date("20240031T00:00:00Z");
    assert_no_date("20240131T24:00:00Z");
    assert_no_date("20240131T12:34:56Zx");
    assert_no_date("20240131T12:34:56.Z");
    assert_no_date("2024-0131T12:34:56Z");
    assert_no_date("20240131T12:34:56+9");
}

static void dates_are_written_and_read_back(void **state)
{
    /* A step that is no divisor of a day or a year visits all kinds of dates. */
    for (int64_t t = -70000000000; t < 260000000000; t += 86400ll * 97 + 12345) {
        _cleanup_str_ struct str s = STR_INIT;
        int64_t clamped = MAX(-62167219200ll, MIN(253402300799ll, t));

        datetime_add(&s, t);
        assert_int_equal(s.len, 18);
        assert_date(s.s, clamped);
    }
}

/* ---- JSON ---- */

static const char full_json[] =
    "{\"uuid\":\"d5a0b4a5-7f3c-4a6c-9d3e-0c1d2e3f4a5b\","
    "\"name_label\":\"Gr\xc3\xbc\xc3\x9f \\\"x\\\" <y> & z\\t\","
    "\"password\":\"secret\",\"size\":4294967296,\"load\":0.1,\"ready\":true,"
    "\"born\":\"20240131T12:34:56Z\",\"color\":\"Dark_Blue\",\"strict_color\":\"green\","
    "\"owner\":\"OpaqueRef:owner\",\"tags\":[\"a\",\"it's \\\"b\\\" \\\\ <c>\"],"
    "\"friends\":[\"OpaqueRef:1\",\"OpaqueRef:NULL\"],"
    "\"other_config\":{\"k\":\"v\",\"\":\"line\\nbreak\",\"<&>\":\"\"},"
    "\"counts\":{\"-7\":\"green\",\"9223372036854775807\":\"Dark_Blue\"},"
    "\"keys\":{\"OpaqueRef:1\":[\"a\",\"it's \\\"b\\\" \\\\ <c>\"]},\"limit\":-1,"
    "\"part\":{\"name\":\"box\",\"weight\":5},"
    "\"parts\":[{\"name\":\"lid\",\"weight\":2},{\"name\":\"\",\"weight\":0}]}";

static void json_of_a_record(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;

    json_add_record(&s, &sample_info, &sample_full, 0, FIELD_INTERNAL);
    assert_string_equal(s.s, full_json);

    str_clear(&s);
    json_add_value(&s, &sample_type_sample, &sample_full);
    assert_string_equal(s.s, full_json);

    str_clear(&s);
    json_add_record(&s, &sample_info, &sample_full, FIELD_SOFT | FIELD_INVERSE, 0);
    assert_string_equal(s.s, "{\"load\":0.1,\"friends\":[\"OpaqueRef:1\",\"OpaqueRef:NULL\"]}");

    str_clear(&s);
    json_add_record(&s, &sample_info, &sample_full, FIELD_DERIVED, 0);
    assert_string_equal(s.s, "{}");
}

static void json_of_odd_values(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;
    const int64_t *none = NULL;
    char all[128];

    json_add_value(&s, &sample_type_void, NULL);
    assert_string_equal(s.s, "\"\"");
    str_clear(&s);
    json_add_value(&s, &sample_type_option_int, &none);
    assert_string_equal(s.s, "null");

    struct sample no_limit = sample_full;

    no_limit.limit = NULL;
    str_clear(&s);
    json_add_value(&s, &sample_type_sample, &no_limit);
    assert_null(strstr(s.s, "limit"));

    /* Every ASCII character comes back through an independent parser. */
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    all[127] = 0;
    str_clear(&s);
    json_add_string(&s, all);
    _cleanup_json_ json_t *j = JSON(s.s);

    assert_string_equal(json_string_value(j), all);

    _cleanup_json_ json_t *any = JSON("{\"a\":[1,null]}");

    str_clear(&s);
    json_add_value(&s, &sample_type_any, &any);
    assert_string_equal(s.s, "{\"a\":[1,null]}");
}

static void json_record_comes_back(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_json_ json_t *j = JSON(full_json);
    _cleanup_json_ json_t *unknown = json_object();
    struct sample *r = record_new(&a, &sample_info);

    r->hidden = "internal"; /* not in the text: keeps what was there */
    assert_null(record_from_json(&a, &sample_info, j, r, unknown));
    assert_same_sample(r, &sample_full);
    assert_int_equal(json_object_size(unknown), 0);
}

static void absent_members_keep_defaults_and_unknown_are_reported(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_json_ json_t *j = JSON("{\"size\":1,\"newer\":[2],\"parts\":[{\"newest\":0}]}");
    _cleanup_json_ json_t *unknown = json_object();
    struct sample *r = record_new(&a, &sample_info);

    assert_null(record_from_json(&a, &sample_info, j, r, unknown));
    assert_string_equal(r->name_label, "unnamed");
    assert_int_equal(((const struct sample_part *)r->parts.v)->weight, 1);
    _cleanup_free_ char *text = json_dumps(unknown, JSON_COMPACT);

    assert_string_equal(text, "{\"newer\":[2]}");
    assert_string_equal(record_missing(&sample_info, j)->name, "uuid");
    _cleanup_json_ json_t *with = JSON("{\"uuid\":1}");

    assert_null(record_missing(&sample_info, with));
}

/* Reads text as a type; NULL = accepted. */
static char *refusal(const struct type *t, const char *text)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_json_ json_t *j = JSON(text);
    char ret[sizeof(struct sample)];
    _cleanup_error_ struct error *e = value_from_json(&a, t, j, "what", ret);

    return e ? error_string(e) : NULL;
}

static void assert_refused(const struct type *t, const char *text, const char *message)
{
    _cleanup_free_ char *said = refusal(t, text);

    assert_non_null(said);
    assert_string_equal(said, message);
}

static void assert_accepted(const struct type *t, const char *text, const char *canonical)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_json_ json_t *j = JSON(text);
    _cleanup_str_ struct str s = STR_INIT;
    char ret[sizeof(struct sample)];
    _cleanup_error_ struct error *e = value_from_json(&a, t, j, "what", ret);

    if (e)
        fail_msg("%s refused: %s", text, e->detail);
    json_add_value(&s, t, ret);
    assert_string_equal(s.s, canonical);
}

static void acceptance_is_generous_where_clients_need_it(void **state)
{
    assert_accepted(&sample_type_int, "\"1500\"", "1500");
    assert_accepted(&sample_type_int, "\"-9223372036854775808\"", "-9223372036854775808");
    assert_accepted(&sample_type_float, "1", "1");
    assert_accepted(&sample_type_float, "\"1e3\"", "1000");
    assert_accepted(&sample_type_bool, "\"1\"", "true");
    assert_accepted(&sample_type_bool, "\"true\"", "true");
    assert_accepted(&sample_type_bool, "\"yes\"", "false");
    assert_accepted(&sample_type_datetime, "\"2024-01-31T12:34:56\"", "\"20240131T12:34:56Z\"");
    assert_accepted(&sample_type_color, "\"dark_blue\"", "\"Dark_Blue\"");
    assert_accepted(&sample_type_option_int, "null", "null");
    assert_accepted(&sample_type_option_int, "\"7\"", "7");
    assert_accepted(&sample_type_ref, "\"\"", "\"\"");
    assert_accepted(&sample_type_set_string, "[]", "[]");
}

static void acceptance_stops_at_the_wrong_kind(void **state)
{
    assert_refused(&sample_type_string, "1",
                   "FIELD_TYPE_ERROR [what]: what: expected a string, not an integer");
    assert_refused(&sample_type_int, "1.5",
                   "FIELD_TYPE_ERROR [what]: what: expected an integer, not a number");
    assert_refused(&sample_type_int, "\"9223372036854775808\"",
                   "FIELD_TYPE_ERROR [what]: what: expected an integer, "
                   "not \"9223372036854775808\"");
    assert_refused(&sample_type_int, "\" 1\"",
                   "FIELD_TYPE_ERROR [what]: what: expected an integer, not \" 1\"");
    assert_refused(&sample_type_int, "\"\"",
                   "FIELD_TYPE_ERROR [what]: what: expected an integer, not \"\"");
    assert_refused(&sample_type_float, "\"0x10\"",
                   "FIELD_TYPE_ERROR [what]: what: expected a number, not \"0x10\"");
    assert_refused(&sample_type_float, "\"nan\"",
                   "FIELD_TYPE_ERROR [what]: what: expected a number, not \"nan\"");
    assert_refused(&sample_type_bool, "1",
                   "FIELD_TYPE_ERROR [what]: what: expected a boolean, not an integer");
    assert_refused(&sample_type_datetime, "0",
                   "FIELD_TYPE_ERROR [what]: what: expected a date, not an integer");
    assert_refused(&sample_type_color, "\"pink\"",
                   "FIELD_TYPE_ERROR [what]: what: expected color, not \"pink\"");
    assert_refused(&sample_type_strict_color, "\"GREEN\"",
                   "FIELD_TYPE_ERROR [what]: what: expected strict_color, not \"GREEN\"");
    assert_refused(&sample_type_set_string, "[\"a\",null]",
                   "FIELD_TYPE_ERROR [what]: what: expected a string, not null");
    assert_refused(&sample_type_map_string, "[]",
                   "FIELD_TYPE_ERROR [what]: what: expected an object, not an array");
    assert_refused(&sample_type_sample, "{\"counts\":{\"x\":\"red\"}}",
                   "FIELD_TYPE_ERROR [counts]: counts: expected an integer, not \"x\"");
}

static void assert_json_error(const char *text, size_t len, const char *part)
{
    json_t *j = NULL;
    _cleanup_error_ struct error *e = json_parse(text, len, &j);

    assert_non_null(e);
    assert_null(j);
    if (!strstr(e->detail, part))
        fail_msg("\"%s\" does not say \"%s\"", e->detail, part);
}

static void json_text_has_limits(void **state)
{
    char deep[2 * VALUE_MAX_DEPTH + 3] = {0};

    memset(deep, '[', VALUE_MAX_DEPTH);
    memset(deep + VALUE_MAX_DEPTH, ']', VALUE_MAX_DEPTH);
    _cleanup_json_ json_t *fits = JSON(deep);

    assert_true(json_is_array(fits));
    memset(deep, '[', VALUE_MAX_DEPTH + 1);
    assert_json_error(deep, strlen(deep), "nested deeper than 32");
    _cleanup_json_ json_t *quoted =
        JSON("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"");

    assert_true(json_is_string(quoted));
    assert_json_error("", 0, "malformed JSON at line");
    assert_json_error("[1,]", 4, "malformed JSON at line 1");
    assert_json_error("\"\xff\"", 3, "unable to decode byte 0xff");
    assert_json_error("\"\\u0000\"", 8, "malformed JSON");
    assert_json_error("1 2", 3, "malformed JSON");
    assert_json_error("99999999999999999999", 20, "malformed JSON");
}

/* ---- XML ---- */

static void assert_xml(const struct type *t, const void *p, const char *expected)
{
    _cleanup_str_ struct str s = STR_INIT;

    xml_add_value(&s, t, p);
    assert_string_equal(s.s, expected);
}

static void xml_of_each_kind(void **state)
{
    const struct sample *s = &sample_full;
    const int64_t *none = NULL;
    const char *text = "a<b>&\"'\x01\x1f\t\n\r\x7f\xef\xbf\xbf\xef\xbf\xbe\xef\xbf\xbd\xef\xbc\xa1";
    _cleanup_json_ json_t *any = JSON("{\"a&\":[1,null,true,\"x\",0.5]}");

    assert_xml(&sample_type_void, NULL, "<value></value>");
    assert_xml(&sample_type_string, &text,
               "<value>a&lt;b&gt;&amp;&quot;'\t\n&#13;\x7f\xef\xbf\xbd\xef\xbc\xa1</value>");
    assert_xml(&sample_type_int, &s->size, "<value>4294967296</value>");
    assert_xml(&sample_type_float, &s->load, "<value><double>0.1</double></value>");
    assert_xml(&sample_type_bool, &s->ready, "<value><boolean>1</boolean></value>");
    assert_xml(&sample_type_datetime, &s->born,
               "<value><dateTime.iso8601>20240131T12:34:56Z</dateTime.iso8601></value>");
    assert_xml(&sample_type_color, &s->color, "<value>Dark_Blue</value>");
    assert_xml(&sample_type_ref, &s->owner, "<value>OpaqueRef:owner</value>");
    assert_xml(&sample_type_set_string, &s->tags,
               "<value><array><data><value>a</value><value>it's &quot;b&quot; \\ &lt;c&gt;</value>"
               "</data></array></value>");
    assert_xml(&sample_type_map_string, &s->other_config,
               "<value><struct><member><name>k</name><value>v</value></member>"
               "<member><name></name><value>line\nbreak</value></member>"
               "<member><name>&lt;&amp;&gt;</name><value></value></member></struct></value>");
    assert_xml(sample_info.fields[F_COUNTS].type, &s->counts,
               "<value><struct><member><name>-7</name><value>green</value></member>"
               "<member><name>9223372036854775807</name><value>Dark_Blue</value></member>"
               "</struct></value>");
    assert_xml(&sample_type_option_int, &s->limit, "<value>-1</value>");
    assert_xml(&sample_type_option_int, &none, "<value><nil/></value>");
    assert_xml(sample_info.fields[F_PART].type, &s->part,
               "<value><struct><member><name>name</name><value>box</value></member>"
               "<member><name>weight</name><value>5</value></member></struct></value>");
    assert_xml(&sample_type_any, &any,
               "<value><struct><member><name>a&amp;</name><value><array><data><value>1</value>"
               "<value><nil/></value><value><boolean>1</boolean></value><value>x</value>"
               "<value><double>0.5</double></value></data></array></value></member></struct>"
               "</value>");
}

static void xml_record_comes_back(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_str_ struct str s = STR_INIT;
    _cleanup_json_ json_t *j = NULL;
    struct sample *r = record_new(&a, &sample_info);

    xml_add_record(&s, &sample_info, &sample_full);
    assert_null(strstr(s.s, "hidden"));
    assert_null(xml_parse_value(s.s, s.len, &j));
    r->hidden = "internal";
    assert_null(record_from_json(&a, &sample_info, j, r, NULL));
    assert_same_sample(r, &sample_full);
}

static void assert_xml_value(const char *text, const char *json)
{
    _cleanup_json_ json_t *j = NULL;
    _cleanup_error_ struct error *e = xml_parse_value(text, strlen(text), &j);

    if (e)
        fail_msg("%s: %s", text, e->detail);
    _cleanup_free_ char *got = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

    assert_string_equal(got, json);
}

static void xml_values_in_all_accepted_forms(void **state)
{
    assert_xml_value("<value> text </value>", "\" text \"");
    assert_xml_value("<value/>", "\"\"");
    assert_xml_value("<value><string>a&amp;b&#228;</string></value>", "\"a&b\xc3\xa4\"");
    assert_xml_value("<value>\n <int> 5 </int>\n</value>", "5");
    assert_xml_value("<value><i4>-1</i4></value>", "-1");
    assert_xml_value("<value><i8>4294967296</i8></value>", "4294967296");
    assert_xml_value("<value><boolean>1</boolean></value>", "true");
    assert_xml_value("<value><boolean>true</boolean></value>", "false");
    assert_xml_value("<value><double>1.5</double></value>", "1.5");
    assert_xml_value("<value><dateTime.iso8601>20240131T12:34:56Z</dateTime.iso8601></value>",
                     "\"20240131T12:34:56Z\"");
    assert_xml_value("<value><base64>eA==</base64></value>", "\"eA==\"");
    assert_xml_value("<value><nil/></value>", "null");
    assert_xml_value("<value><array/></value>", "[]");
    assert_xml_value("<value><array><data><value>1</value><value><array><data/></array></value>"
                     "</data></array></value>",
                     "[\"1\",[]]");
    assert_xml_value("<value><struct/></value>", "{}");
    assert_xml_value("<value><struct><member><value>1</value><name>b</name></member>"
                     "<member><name>a</name><value><int>2</int></value></member></struct></value>",
                     "{\"b\":\"1\",\"a\":2}");
    assert_xml_value("<?xml version='1.0' encoding='ISO-8859-1'?><value>\xe4</value>",
                     "\"\xc3\xa4\"");
    assert_xml_value("<value><![CDATA[<x>]]></value>", "\"<x>\"");
}

static void assert_xml_error(const char *text, const char *part)
{
    json_t *j = NULL;
    _cleanup_error_ struct error *e = xml_parse_value(text, strlen(text), &j);

    if (!e)
        fail_msg("%s was accepted", text);
    assert_null(j);
    if (!strstr(e->detail, part))
        fail_msg("\"%s\" does not say \"%s\"", e->detail, part);
}

static void xml_errors_are_precise(void **state)
{
    assert_xml_error("", "line 1: no element found");
    assert_xml_error("<value>", "line 1: ");
    assert_xml_error("<value>\n\n<bogus/></value>", "line 3: unexpected <bogus> in value");
    assert_xml_error("<params/>", "unexpected <params> in document");
    assert_xml_error("<value><int>x</int></value>", "\"x\" is not an integer");
    assert_xml_error("<value><int>99999999999999999999</int></value>", "is not an integer");
    assert_xml_error("<value><double>inf</double></value>", "\"inf\" is not a number");
    assert_xml_error("<value>x<int>1</int></value>", "text beside <int>");
    assert_xml_error("<value><int>1</int>x</value>", "unexpected text in value");
    assert_xml_error("<value><int>1</int><int>2</int></value>", "unexpected <int> in value");
    assert_xml_error("<value><struct>x</struct></value>", "unexpected text in struct");
    assert_xml_error("<value><struct><member><name>a</name></member></struct></value>",
                     "a member without value");
    assert_xml_error("<value><struct><member><value/></member></struct></value>",
                     "a member without name");
    assert_xml_error("<value><struct><member><name>a</name><value/><value/></member></struct>"
                     "</value>",
                     "unexpected <value> in member");
    assert_xml_error("<value><array><data/><data/></array></value>", "unexpected <data> in array");
    assert_xml_error("<!DOCTYPE x [<!ENTITY a \"b\">]><value>&a;</value>",
                     "a document type is not accepted");
    assert_xml_error("<value>&a;</value>", "undefined entity");
    assert_xml_error("<value>\xff</value>", "not well-formed");
}

static void xml_depth_is_limited(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;
    _cleanup_json_ json_t *j = NULL;

    for (int depth = VALUE_MAX_DEPTH; depth <= VALUE_MAX_DEPTH + 1; depth++) {
        str_clear(&s);
        for (int i = 1; i < depth; i++)
            str_add(&s, "<value><struct><member><name>a</name>");
        str_add(&s, "<value/>");
        for (int i = 1; i < depth; i++)
            str_add(&s, "</member></struct></value>");
        if (depth <= VALUE_MAX_DEPTH)
            assert_null(xml_parse_value(s.s, s.len, &j));
        else
            assert_xml_error(s.s, "nested deeper than 32");
    }
}

static void xml_calls_and_responses(void **state)
{
    static const char call[] = "<?xml version=\"1.0\"?>\n<methodCall>"
                               "<methodName> VM.start </methodName>\n<params>"
                               "<param><value>OpaqueRef:1</value></param>"
                               "<param><value><boolean>0</boolean></value></param>"
                               "</params></methodCall>\n";
    static const char bare[] = "<methodCall><methodName>a</methodName></methodCall>";
    static const char answer[] = "<methodResponse><params><param><value>x</value></param></params>"
                                 "</methodResponse>";
    static const char fault[] =
        "<methodResponse><fault><value><struct><member><name>faultString</name><value>no</value>"
        "</member></struct></value></fault></methodResponse>";
    struct xml_call c;
    json_t *j = NULL;

    assert_null(xml_parse_call(call, strlen(call), &c));
    assert_string_equal(c.method, "VM.start");
    assert_int_equal(json_array_size(c.params), 2);
    assert_true(json_is_false(json_array_get(c.params, 1)));
    xml_call_fini(&c);

    assert_null(xml_parse_call(bare, strlen(bare), &c));
    assert_int_equal(json_array_size(c.params), 0);
    xml_call_fini(&c);

    _cleanup_error_ struct error *e = xml_parse_call("<methodCall/>", 13, &c);

    assert_string_equal(e->detail, "malformed XML-RPC: no method name");
    assert_null(xml_parse_response(answer, strlen(answer), &j));
    assert_string_equal(json_string_value(j), "x");
    json_decref(j);

    _cleanup_error_ struct error *f = xml_parse_response(fault, strlen(fault), &j);

    assert_string_equal(f->detail, "XML-RPC fault: no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_zero_values),
        cmocka_unit_test(copies_are_deep_and_equal),
        cmocka_unit_test(flat_records_need_nothing_else),
        cmocka_unit_test(differences_are_found_field_by_field),
        cmocka_unit_test(fields_are_found_by_both_names),
        cmocka_unit_test(floats_have_sixteen_digits),
        cmocka_unit_test(dates_in_all_accepted_forms),
        cmocka_unit_test(dates_are_written_and_read_back),
        cmocka_unit_test(json_of_a_record),
        cmocka_unit_test(json_of_odd_values),
        cmocka_unit_test(json_record_comes_back),
        cmocka_unit_test(absent_members_keep_defaults_and_unknown_are_reported),
        cmocka_unit_test(acceptance_is_generous_where_clients_need_it),
        cmocka_unit_test(acceptance_stops_at_the_wrong_kind),
        cmocka_unit_test(json_text_has_limits),
        cmocka_unit_test(xml_of_each_kind),
        cmocka_unit_test(xml_record_comes_back),
        cmocka_unit_test(xml_values_in_all_accepted_forms),
        cmocka_unit_test(xml_errors_are_precise),
        cmocka_unit_test(xml_depth_is_limited),
        cmocka_unit_test(xml_calls_and_responses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
