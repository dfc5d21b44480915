/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees in memory that was kept from other trees: nothing lies on top of anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "value/json.h"

#include <pthread.h>

#define LENGTHS 600
#define ROUNDS  20

/* Strings of every length, each full of its own letter; the order differs from round to round. */
static json_t *make_tree(unsigned round)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < LENGTHS; i++) {
        const unsigned n = (i * 7 + round * 13) % LENGTHS;
        char text[LENGTHS + 1];

        memset(text, 'a' + (int)((n + round) % 26), n);
        json_array_append_new(all, json_stringn(text, n));
    }
    return all;
}

static void check_tree(const json_t *all, unsigned round)
{
    json_t *j;
    size_t i;

    assert_int_equal(json_array_size(all), LENGTHS);
    json_array_foreach (all, i, j) {
        const unsigned n = ((unsigned)i * 7 + round * 13) % LENGTHS;
        const char *text = json_string_value(j);

        assert_int_equal(json_string_length(j), n);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(text[k], 'a' + (int)((n + round) % 26));
    }
}

static void trees_follow_each_other(void **state)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        _cleanup_json_ json_t *a = make_tree(round), *b = make_tree(round + 1);

        check_tree(a, round);
        check_tree(b, round + 1);
    }
}

struct hand {
    json_t *tree[ROUNDS];
};

static void *end_and_make(void *arg)
{
    struct hand *h = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        check_tree(h->tree[i], i);
        json_decref(h->tree[i]);
        h->tree[i] = make_tree(i + 1);
    }
    return NULL;
}

/* More of them than a thread keeps. */
static void trees_go_from_thread_to_thread(void **state)
{
    struct hand h;
    pthread_t thread;

    for (unsigned i = 0; i < ROUNDS; i++)
        h.tree[i] = make_tree(i);
    assert_int_equal(pthread_create(&thread, NULL, end_and_make, &h), 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        check_tree(h.tree[i], i + 1);
        json_decref(h.tree[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_follow_each_other),
        cmocka_unit_test(trees_go_from_thread_to_thread),
    };

    json_own_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
