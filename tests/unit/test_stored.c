/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the database leave out what is empty: they must come back as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gen/classes.h"
#include "lib/sample.h"
#include "model/class.h"
#include "value/json.h"

static void comes_back(struct arena *a, const struct struct_info *si, const void *rec)
{
    _cleanup_str_ struct str s = STR_INIT;

    json_add_stored(&s, si, rec);
    _cleanup_json_ json_t *j = json_loadb(s.s, s.len, 0, NULL);
    void *back = record_new(a, si);

    assert_non_null(j);
    assert_null(record_from_json(a, si, j, back, NULL));
    struct field_mask differs = record_diff(si, rec, back);

    for (int f = 0; f < si->n; f++)
        if ((si->fields[f].flags & FIELD_STORED) && field_mask_has(&differs, f))
            fail_msg("%s.%s differs after %s", si->name, si->fields[f].name, s.s);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_is_left_out),
        cmocka_unit_test(a_zero_may_be_no_default),
        cmocka_unit_test(all_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
