/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of images that lie about their ancestors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/tree.h"

#include <time.h>

static void load_node(struct tree *t, unsigned n, unsigned parent)
{
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "{\"xenolith\": 1, \"node\": \"00000000-0000-4000-8000-%012u\", "
                       "\"format\": \"qcow2\", \"size\": 2097152, "
                       "\"parent\": \"00000000-0000-4000-8000-%012u\"}",
                       n, parent);

    tree_load(t, "record", text, (size_t)len);
}

static void a_loop_is_no_chain(void **state)
{
    struct tree t;

    tree_init(&t);
    for (unsigned i = 0; i < 5; i++)
        load_node(&t, i, (i + 1) % 5);
    tree_link(&t);
    assert_false(t.complete);
    assert_non_null(strstr(str_cstr(&t.problems), "is its own ancestor"));
    tree_fini(&t);
}

/* The work is bounded by the number of records, not by its square. */
static void an_endless_line_of_ancestors_is_cut(void **state)
{
    struct tree t;
    clock_t from = clock();

    tree_init(&t);
    for (unsigned i = 0; i < 100000; i++)
        load_node(&t, i, i + 1);
    tree_link(&t);
    assert_false(t.complete);
    assert_non_null(strstr(str_cstr(&t.problems), "has too many ancestors"));
    assert_true(clock() - from < 20 * CLOCKS_PER_SEC);
    tree_fini(&t);
}

/* So many images a repository may have that somebody else wrote; what is behind is not looked at.
 */
static void images_are_bounded(void **state)
{
    struct tree t;

    tree_init(&t);
    for (unsigned i = 0; i < 200000; i++)
        load_node(&t, i, i / 2 + 300000);
    assert_true(t.complete);
    load_node(&t, 200000, 0);
    assert_false(t.complete);
    assert_int_equal(t.nodes.n, 200000);
    tree_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_is_no_chain),
        cmocka_unit_test(images_are_bounded),
        cmocka_unit_test(an_endless_line_of_ancestors_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
