/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The expression language of get_all_where: grammar, precedence, comparison, refusals, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "lib/sample.h"
#include "model/filter.h"
#include "model/stored_form.h"

static bool matches(const char *expression)
{
    _cleanup_arena_ struct arena a = {0};
    const struct filter *f = NULL;
    _cleanup_error_ struct error *e = filter_parse(&a, expression, &sample_info, &f);

    if (e)
        fail_msg("%s: %s", expression, e->params[1]);
    return filter_match(f, &sample_info, &sample_full, sample_full.self);
}

static void assert_refused(const char *expression, const char *text)
{
    _cleanup_arena_ struct arena a = {0};
    const struct filter *f = NULL;
    _cleanup_error_ struct error *e = filter_parse(&a, expression, &sample_info, &f);

    if (!e)
        fail_msg("%s was accepted", expression);
    assert_null(f);
    assert_true(error_is(e, "INVALID_VALUE"));
    assert_int_equal(e->n_params, 2);
    assert_string_equal(e->params[0], expression);
    assert_string_equal(e->params[1], text);
}

static void constants_and_spacing(void **state)
{
    assert_true(matches("true"));
    assert_false(matches("false"));
    assert_true(matches(" \t\n\r( (true) ) "));
    assert_true(matches("not false"));
    assert_true(matches("nottrueortrue") == matches("not (true or true)"));
    assert_true(matches("field\"ready\"=\"true\"andtrue"));
    assert_true(matches("\"a\" = \"a\""));
    assert_false(matches("\"a\" = \"A\""));
    assert_true(matches("\"\" = \"\""));
}

/* Ours: the left text begins with the right one. */
static void beginnings(void **state)
{
    assert_true(matches("\"abc\" begins \"ab\""));
    assert_true(matches("\"abc\" begins \"abc\" and \"abc\"begins\"\""));
    assert_false(matches("\"abc\" begins \"abcd\""));
    assert_false(matches("\"abc\" begins \"bc\" or \"abc\" begins \"AB\""));
    assert_true(matches("field \"ready\" begins \"tr\" and not field \"ready\" begins \"f\""));
    assert_refused("\"a\" begins", "expected a value at character 10");
    assert_refused("begins \"a\"", "expected a value at character 6");
}

/* Equal precedence, left to right: these differ from the rules of most languages. */
static void and_and_or_are_equals(void **state)
{
    assert_false(matches("true or true and false")); /* (true or true) and false */
    assert_true(matches("false and false or true"));
    assert_false(matches("true or (false and false) and false"));
    assert_true(matches("true or (true and false)"));
}

static void not_takes_all_that_follows(void **state)
{
    assert_true(matches("not true and false")); /* not (true and false) */
    assert_false(matches("(not true) and false"));
    assert_false(matches("true and not false or true")); /* true and not (false or true) */
    assert_true(matches("not not true"));
    assert_false(matches("not not not true"));
}

static void truth_tables(void **state)
{
    for (int i = 0; i < 8; i++) {
        bool a = i & 1, b = i & 2, c = i & 4;
        const char *x = a ? "true" : "false";
        const char *y = b ? "true" : "false";
        const char *z = c ? "\"1\"=\"1\"" : "\"1\"=\"2\"";
        _cleanup_str_ struct str s = STR_INIT;

        str_printf(&s, "%s and %s or %s", x, y, z);
        assert_int_equal(matches(s.s), (a && b) || c);
        str_clear(&s);
        str_printf(&s, "%s or %s and %s", x, y, z);
        assert_int_equal(matches(s.s), (a || b) && c);
        str_clear(&s);
        str_printf(&s, "%s or not %s and %s", x, y, z);
        assert_int_equal(matches(s.s), a || !(b && c));
        str_clear(&s);
        str_printf(&s, "(%s or not (%s)) and (not (%s and %s) or %s)", x, y, z, x, y);
        assert_int_equal(matches(s.s), (a || !b) && !((c && a) || b));
    }
}

static void columns_compare_as_stored_strings(void **state)
{
    assert_true(matches("field \"uuid\" = \"d5a0b4a5-7f3c-4a6c-9d3e-0c1d2e3f4a5b\""));
    assert_true(matches("field \"_ref\" = \"OpaqueRef:self\""));
    assert_true(matches("field \"ready\" = \"true\""));
    assert_false(matches("field \"ready\" = \"1\""));
    assert_true(matches("field \"size\" = \"4294967296\""));
    assert_true(matches("\"4294967296\" = field \"size\""));
    assert_true(matches("field \"load\" = \"0.100000000000000006\""));
    assert_true(matches("field \"born\" = \"20240131T12:34:56Z\""));
    assert_true(matches("field \"color\" = \"Dark_Blue\""));
    assert_true(matches("field \"owner\" = \"OpaqueRef:owner\""));
    assert_true(matches("field \"friends\" = \"('OpaqueRef:1' 'OpaqueRef:NULL')\""));
    assert_true(matches("field \"counts\" = \"(('-7' 'green') ('9223372036854775807' "
                        "'Dark_Blue'))\""));
    assert_true(matches("field \"limit\" = \"('-1')\""));
    assert_true(matches("field \"uuid\" = field \"uuid\""));
    assert_false(matches("field \"color\" = field \"strict_color\""));
    assert_false(matches("field \"size\" = field \"born\"")); /* both need room for their text */
}

static void stored_forms_quote_quotes(void **state)
{
    _cleanup_str_ struct str s = STR_INIT;
    struct set none = {0};

    stored_form_add(&s, sample_info.fields[F_TAGS].type, &sample_full.tags);
    assert_string_equal(s.s, "('a' 'it\\'s \\\"b\\\" \\\\ <c>')");
    str_clear(&s);
    stored_form_add(&s, sample_info.fields[F_KEYS].type, &sample_full.keys);
    assert_string_equal(
        s.s, "(('OpaqueRef:1' '(\\'a\\' \\'it\\\\\\'s \\\\\\\"b\\\\\\\" \\\\\\\\ <c>\\')'))");
    str_clear(&s);
    stored_form_add(&s, &sample_type_set_string, &none);
    assert_string_equal(s.s, "()");
}

static void nonsense_is_refused(void **state)
{
    assert_refused("", "expected a value at character 0");
    assert_refused("maybe", "unknown word at character 0");
    assert_refused("TRUE", "unknown word at character 0");
    assert_refused("true true", "expected and, or, or the end at character 9");
    assert_refused("true and", "expected a value at character 8");
    assert_refused("not", "expected a value at character 3");
    assert_refused("(true", "expected ) at character 5");
    assert_refused("true)", "expected and, or, or the end at character 5");
    assert_refused("\"a\"", "expected = at character 3");
    assert_refused("\"a\" = true", "expected a value at character 10");
    assert_refused("\"a = \"b\"", "unknown word at character 6");
    assert_refused("field = \"x\"", "expected a column name in quotes at character 7");
    assert_refused("field \"nonsense\" = \"x\"", "unknown column at character 16");
}

static void what_records_do_not_show_has_no_column(void **state)
{
    assert_refused("field \"password\" = \"x\"", "unknown column at character 16");
    assert_refused("field \"hidden\" = \"x\"", "unknown column at character 14");
    assert_refused("field \"name_label\" = \"x\"", "unknown column at character 18");
}

static void size_and_depth_are_limited(void **state)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_str_ struct str s = STR_INIT;
    const struct filter *f = NULL;

    for (int i = 0; i < FILTER_MAX_DEPTH - 1; i++)
        str_add_char(&s, '(');
    str_add(&s, "true");
    for (int i = 0; i < FILTER_MAX_DEPTH - 1; i++)
        str_add_char(&s, ')');
    assert_true(matches(s.s));

    str_clear(&s);
    for (int i = 0; i < FILTER_MAX_DEPTH; i++)
        str_add(&s, "not ");
    str_add(&s, "true");
    struct error *e = filter_parse(&a, s.s, &sample_info, &f);

    assert_true(error_is(e, "INVALID_VALUE"));
    assert_non_null(strstr(e->params[1], "nested too deep"));
    error_free(e);

    /* As many terms as there may be, and one more. */
    str_clear(&s);
    str_add(&s, "false");
    for (int i = 1; i < FILTER_MAX_NODES / 2; i++)
        str_add(&s, " or false");
    str_add(&s, " ");
    assert_false(matches(s.s));
    str_add(&s, "or true");
    e = filter_parse(&a, s.s, &sample_info, &f);
    assert_non_null(strstr(e->params[1], "too many terms"));
    error_free(e);

    while (s.len <= FILTER_MAX_LENGTH)
        str_add(&s, " ");
    e = filter_parse(&a, s.s, &sample_info, &f);
    assert_string_equal(e->params[1], "the expression is too long");
    error_free(e);
    assert_null(f);
}

/* Every kind of field but those that have no such form. */
static void stored_forms_come_back(void **state)
{
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (int i = 0; i < sample_info.n; i++) {
        const struct field *f = &sample_info.fields[i];
        const void *p = field_at(f, &sample_full);
        _cleanup_str_ struct str s = STR_INIT;
        void *back = arena_zalloc(&a, f->type->size);

        if (i == F_PART || i == F_PARTS || i == F_ANY)
            continue;
        stored_form_add(&s, f->type, p);
        assert_null(stored_form_read(&a, f->type, str_cstr(&s), back));
        assert_true(value_equal(f->type, p, back));
    }
    arena_fini(&a);
}

static void stored_forms_that_are_none(void **state)
{
    static const struct {
        int field;
        const char *text;
    } bad[] = {
        {F_SIZE, ""},
        {F_SIZE, "1x"},
        {F_READY, "yes"},
        {F_READY, ""},
        {F_BORN, "yesterday"},
        {F_COLOR, "mauve"},
        {F_TAGS, ""},
        {F_TAGS, "('a'"},
        {F_TAGS, "('a') x"},
        {F_TAGS, "('a"},
        {F_TAGS, "(a)"},
        {F_TAGS, "('a\\"},
        {F_COUNTS, "('1' '2')"},
        {F_COUNTS, "(('1'))"},
        {F_COUNTS, "(('1' '2' '3'))"},
        {F_KEYS, "(('r' 'x'))"},
        {F_LIMIT, "('1' '2')"},
        {F_LIMIT, "('x')"},
        {F_PART, "x"},
    };
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const struct type *t = sample_info.fields[bad[i].field].type;
        struct error *e = stored_form_read(&a, t, bad[i].text, arena_zalloc(&a, t->size));

        assert_non_null(e);
        error_free(e);
    }
    arena_fini(&a);
}

static void stored_forms_of_others(void **state)
{
    _cleanup_arena_ struct arena a;
    struct set tags = {0};
    const char *ref = "x";

    arena_init(&a);
    assert_null(stored_form_read(&a, &sample_type_set_string, " (\n'a'  'b\\'c' '' ) ", &tags));
    assert_int_equal(tags.n, 3);
    assert_string_equal(((const char *const *)tags.v)[1], "b'c");
    assert_null(stored_form_read(&a, &sample_type_ref, "", &ref));
    assert_string_equal(ref, REF_NULL);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_and_spacing),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(and_and_or_are_equals),
        cmocka_unit_test(not_takes_all_that_follows),
        cmocka_unit_test(truth_tables),
        cmocka_unit_test(columns_compare_as_stored_strings),
        cmocka_unit_test(stored_forms_quote_quotes),
        cmocka_unit_test(stored_forms_come_back),
        cmocka_unit_test(stored_forms_that_are_none),
        cmocka_unit_test(stored_forms_of_others),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(what_records_do_not_show_has_no_column),
        cmocka_unit_test(size_and_depth_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
