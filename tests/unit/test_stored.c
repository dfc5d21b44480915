/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the database leave out what is empty: they must come back as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/class/VM.h"
#include "gen/classes.h"
#include "lib/sample.h"
#include "model/class.h"
#include "value/json.h"

static void assert_same(const struct struct_info *si, const void *rec, const void *back,
                        const char *text)
{
    struct field_mask differs = record_diff(si, rec, back);

    for (int f = 0; f < si->n; f++)
        if ((si->fields[f].flags & FIELD_STORED) && field_mask_has(&differs, f))
            fail_msg("%s.%s differs after %s", si->name, si->fields[f].name, text);
}

/* The quick reader: what it takes is right, and cut off it takes nothing. */
static bool comes_back_quickly(struct arena *a, const struct struct_info *si, const void *rec,
                               const struct str *text)
{
    void *back = record_new(a, si);

    for (size_t n = 0; n < text->len; n++)
        assert_false(record_from_row(a, si, text->s, n, record_new(a, si)));
    if (!record_from_row(a, si, text->s, text->len, back))
        return false;
    assert_same(si, rec, back, text->s);
    return true;
}

static void comes_back(struct arena *a, const struct struct_info *si, const void *rec)
{
    _cleanup_str_ struct str s = STR_INIT;

    json_add_stored(&s, si, rec);
    _cleanup_json_ json_t *j = json_loadb(s.s, s.len, 0, NULL);
    void *back = record_new(a, si);

    assert_non_null(j);
    assert_null(record_from_json(a, si, j, back, NULL));
    assert_same(si, rec, back, s.s);
    /* The sample has a character that is written by its number. */
    assert_true(comes_back_quickly(a, si, rec, &s) || si == &sample_info);
}

static void the_empty_is_left_out(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    struct sample *rec = record_new(&a, &sample_info);

    rec->uuid = "u";
    rec->name_label = "";
    json_add_stored(&s, &sample_info, rec);
    assert_string_equal(s.s, "{\"uuid\":\"u\",\"name_label\":\"\",\"color\":\"red\","
                             "\"strict_color\":\"red\",\"part\":{\"name\":\"\",\"weight\":1}}");
    comes_back(&a, &sample_info, rec);
    comes_back(&a, &sample_info, &sample_full);
}

/* The default of weight is 1: a zero must be written. */
static void a_zero_may_be_no_default(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;
    struct sample_part part = {.name = "", .weight = 0};

    json_add_stored(&s, &sample_part_info, &part);
    assert_string_equal(s.s, "{\"weight\":0}");
}

/* Every class, with its defaults and with everything empty. */
static void all_classes(void **state)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (int c = 1; c < CLASS_MAX; c++) {
        const struct struct_info *si = classes[c].info;
        void *rec = record_new(&a, si);

        comes_back(&a, si, rec);
        for (int f = 0; f < si->n; f++)
            value_zero(si->fields[f].type, field_at_mut(&si->fields[f], rec));
        comes_back(&a, si, rec);
    }
}

static void texts_and_lists_are_read_quickly(void **state)
{
    static const char *const texts[] = {"", "\\", "\"", "a\\\"b\n\t\xc3\xa9", "\\\"\\"};
    static const char *const keys[] = {"k", "\"", "x\\", "", "[{,:}]"};
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (size_t n = 0; n <= ARRAY_SIZE(texts); n++) {
        struct vm_rec *vm = record_new(&a, classes[CLASS_VM].info);

        vm->name_label = texts[n % ARRAY_SIZE(texts)];
        vm->memory_static_max = INT64_MIN;
        vm->tags = (struct set_string){.n = n, .v = texts};
        vm->other_config = (struct map_string_string){.n = n, .k = keys, .v = texts};
        comes_back(&a, classes[CLASS_VM].info, vm);
    }
}

static void what_is_written_otherwise_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "{\"nobody_knows\":1}",
        "{\"uuid\":\"x\",\"nobody_knows\":1}",
        "{ \"uuid\":\"x\"}",
        "{\"uuid\":\"x\"} ",
        "{\"uuid\":\"x\",}",
        "{\"uuid\":7}",
        "{\"name_label\":\"x\",\"uuid\":\"x\"}",
        "{\"uuid\":\"\\u0041\"}",
        "{\"memory_static_max\":99999999999999999999}",
        "{\"power_state\":\"Nowhere\"}",
        "[]",
        "",
    };
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_false(record_from_row(&a, classes[CLASS_VM].info, texts[i], strlen(texts[i]),
                                     record_new(&a, classes[CLASS_VM].info)));
}

static void errors_come_back(void **state)
{
    _cleanup_error_ struct error *e = error_api("X", 3, "a", "\xff no text", "c");
    _cleanup_json_ json_t *j = error_to_json(e);
    _cleanup_json_ json_t *none = json_object();
    _cleanup_error_ struct error *back = error_from_json(j);

    assert_string_equal(back->code, "X");
    assert_int_equal(back->n_params, 3);
    assert_string_equal(back->params[0], "a");
    assert_string_equal(back->params[1], "(not text)");
    assert_string_equal(back->params[2], "c");
    assert_null(error_from_json(none));
    assert_null(error_from_json(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_is_left_out),
        cmocka_unit_test(a_zero_may_be_no_default),
        cmocka_unit_test(all_classes),
        cmocka_unit_test(errors_come_back),
        cmocka_unit_test(texts_and_lists_are_read_quickly),
        cmocka_unit_test(what_is_written_otherwise_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
