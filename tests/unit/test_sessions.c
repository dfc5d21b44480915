/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of sessions: limits, ages, the pace of listeners. Time is the test's. */
#include "auth/guesses.h"
#include "auth/refusals.h"
#include "auth/sessions.h"

#include "base/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int64_t clock_us = 1000000000 * SECOND_US;

static int64_t test_clock(void)
{
    return clock_us;
}

static struct arena arena;

static const char *login(struct sessions *s, const char *originator, int number)
{
    const char *evicted;
    struct session seed = {
        .ref = arena_printf(&arena, "OpaqueRef:%s-%d", originator, number),
        .user = "root",
        .originator = originator,
    };

    sessions_add(s, &seed, &arena, &evicted);
    return evicted;
}

static bool is_known(struct sessions *s, const char *ref)
{
    _cleanup_session_ struct session *found = sessions_find(s, ref);

    return found != NULL;
}

static void the_oldest_goes_when_one_originator_has_too_many(void **state)
{
    struct sessions *s = sessions_new(0);

    for (int i = 0; i < SESSIONS_PER_ORIGINATOR; i++) {
        clock_us++;
        assert_null(login(s, "a", i));
    }
    assert_null(login(s, "b", 0));
    clock_us++;
    assert_true(is_known(s, "OpaqueRef:a-0")); /* used: now a-1 is the oldest */
    assert_string_equal(login(s, "a", SESSIONS_PER_ORIGINATOR), "OpaqueRef:a-1");
    assert_false(is_known(s, "OpaqueRef:a-1"));
    assert_true(is_known(s, "OpaqueRef:b-0"));
    assert_int_equal(sessions_count(s), SESSIONS_PER_ORIGINATOR + 1);
    sessions_free(s);
}

static const char *login_as(struct sessions *s, const char *user, int n)
{
    char ref[64], originator[64];
    const struct session seed = {.ref = ref, .user = user, .originator = originator};
    const char *evicted;

    snprintf(ref, sizeof(ref), "OpaqueRef:%s-%d", user, n);
    snprintf(originator, sizeof(originator), "%s-%d", user, n);
    clock_us += SECOND_US;
    sessions_add(s, &seed, &arena, &evicted);
    return evicted;
}

static void a_user_of_many_names_has_no_more_sessions(void **state)
{
    struct sessions *s = sessions_new(0);

    assert_null(login_as(s, "other", 0));
    for (int i = 0; i < SESSIONS_PER_USER; i++)
        assert_null(login_as(s, "many", i));
    assert_string_equal(login_as(s, "many", SESSIONS_PER_USER), "OpaqueRef:many-0");
    assert_true(is_known(s, "OpaqueRef:other-0"));
    sessions_free(s);
}

static void all_users_together_have_a_limit(void **state)
{
    struct sessions *s = sessions_new(0);
    char user[32];

    for (int i = 0; i < SESSIONS_MAX; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        assert_null(login_as(s, user, 0));
    }
    assert_string_equal(login_as(s, "late", 0), "OpaqueRef:u0-0");
    assert_int_equal(sessions_count(s), SESSIONS_MAX);
    sessions_free(s);
}

static void calls_of_a_session_are_counted(void **state)
{
    struct sessions *s = sessions_new(0);

    assert_null(login(s, "a", 0));
    assert_null(login(s, "b", 0));
    _cleanup_session_ struct session *a = sessions_find(s, "OpaqueRef:a-0");
    _cleanup_session_ struct session *b = sessions_find(s, "OpaqueRef:b-0");

    for (int i = 0; i < SESSION_CALLS_MAX; i++)
        assert_true(session_enter(a));
    assert_false(session_enter(a));
    assert_false(session_enter(a));
    assert_true(session_enter(b));
    session_leave(a);
    assert_true(session_enter(a));
    assert_false(session_enter(a));
    sessions_free(s);
}

static void unused_sessions_expire_after_a_day(void **state)
{
    struct sessions *s = sessions_new(0);
    struct session_use *uses;

    login(s, "a", 0);
    login(s, "a", 1);
    assert_int_equal(sessions_review(s, &arena, &uses), 2);
    assert_int_equal(sessions_review(s, &arena, &uses), 0);
    clock_us += SESSION_IDLE_S * SECOND_US;
    assert_true(is_known(s, "OpaqueRef:a-1"));
    clock_us += SECOND_US;
    assert_int_equal(sessions_review(s, &arena, &uses), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(uses[i].expired, strcmp(uses[i].ref, "OpaqueRef:a-0") == 0);
    assert_false(is_known(s, "OpaqueRef:a-0"));
    assert_int_equal(sessions_count(s), 1);
    sessions_free(s);
}

static void a_counted_session_outlives_its_logout(void **state)
{
    struct sessions *s = sessions_new(0);

    login(s, "a", 0);
    _cleanup_session_ struct session *held = sessions_find(s, "OpaqueRef:a-0");

    assert_true(sessions_remove(s, "OpaqueRef:a-0"));
    assert_false(sessions_remove(s, "OpaqueRef:a-0"));
    sessions_free(s);
    assert_string_equal(held->user, "root");
    assert_string_equal(held->originator, "a");
}

static void long_texts_are_cut(void **state)
{
    struct sessions *s = sessions_new(0);
    char *name = arena_alloc(&arena, 10001);
    const char *evicted;

    memset(name, 'x', 10000);
    name[10000] = 0;
    struct session seed = {.ref = "OpaqueRef:1", .user = name, .originator = name};

    sessions_add(s, &seed, &arena, &evicted);
    _cleanup_session_ struct session *found = sessions_find(s, "OpaqueRef:1");

    assert_int_equal(strlen(found->user), SESSION_TEXT_MAX);
    assert_int_equal(strlen(found->originator), SESSION_TEXT_MAX);
    sessions_free(s);
}

static void a_flood_is_paced_and_a_trickle_is_not(void **state)
{
    struct sessions *s = sessions_new(0);
    int at_once = 0;

    login(s, "a", 0);
    _cleanup_session_ struct session *l = sessions_find(s, "OpaqueRef:a-0");

    for (int64_t i = 0; i < 200; i++, clock_us += 5000) { /* a change every 5 ms for a second */
        if (session_next_batch(l, 7) > clock_us)
            continue;
        session_paced(l, 7, clock_us);
        at_once++;
    }
    assert_in_range(at_once, 18, 24);
    assert_true(session_next_batch(l, 7) > clock_us - 5000);
    assert_true(session_next_batch(l, 8) < clock_us - 5000); /* who listens to something else */
    for (int i = 0; i < 20; i++) {
        clock_us += 200000;
        assert_true(session_next_batch(l, 7) <= clock_us);
        session_paced(l, 7, clock_us);
    }
    sessions_free(s);
}

static void guesses_of_a_source_are_counted(void **state)
{
    struct guesses *g = guesses_new(1000000);

    for (int i = 0; i < GUESSES_AT_ONCE; i++)
        assert_int_equal(guess_take(g, "192.0.2.1"), 0);
    for (int i = 0; i < 1000; i++) { /* right ones are none */
        assert_int_equal(guess_take(g, "192.0.2.3"), 0);
        guess_right(g, "192.0.2.3");
    }
    assert_int_equal(guess_take(g, "192.0.2.1"), clock_us + 1000000);
    assert_int_equal(guess_take(g, "192.0.2.1"), clock_us + 2000000); /* behind the other */
    assert_false(guess_take_now(g, "192.0.2.1"));
    assert_true(guess_take_now(g, "192.0.2.2"));
    clock_us += 3000000;
    assert_true(guess_take_now(g, "192.0.2.1"));
    assert_false(guess_take_now(g, "192.0.2.1"));
    for (int i = 0; i < 10000; i++) { /* sources that have not guessed lately are forgotten */
        char address[32];

        snprintf(address, sizeof(address), "2001:db8::%x", i);
        assert_true(guess_take_now(g, address));
        clock_us += 1000;
    }
    clock_us += GUESSES_AT_ONCE * 1000000ll;
    for (int i = 0; i < GUESSES_AT_ONCE; i++)
        assert_true(guess_take_now(g, "192.0.2.1"));
    assert_false(guess_take_now(g, "192.0.2.1"));
    guesses_free(g);
}

static void refuse(struct refusals *r, int times, const char *user, const char *originator,
                   const char *agent)
{
    const struct refused_client who = {
        .user = user, .originator = originator, .address = "", .agent = agent};

    for (int i = 0; i < times; i++)
        refusals_add(r, &who);
}

/* What there is, as it is told. Told once, or put back. */
static bool told(struct refusals *r, bool heard, struct str *out)
{
    struct refusals *taken = refusals_take(r);

    str_clear(out);
    if (!taken)
        return false;
    refusals_tell(taken, out);
    if (heard)
        refusals_free(taken);
    else
        refusals_return(r, taken);
    return true;
}

static void refusals_are_told(void **state)
{
    struct refusals *r = refusals_new();
    _cleanup_str_ struct str out = STR_INIT;
    char name[32];

    assert_false(told(r, true, &out));
    clock_us = 1600786631 * SECOND_US;
    refuse(r, 2, "usr1", "origin1", "");
    refuse(r, 3, "", "origin2", "");
    refuse(r, 4, "", "", "UA");
    refuse(r, 9, "usr5", "<&>", "");
    clock_us = 1600786993 * SECOND_US;
    refuse(r, 6, "usr4", "", "UA");
    refuse(r, 1, "usr5", "<&>", "");
    assert_true(told(r, true, &out));
    assert_string_equal(
        out.s, "<body>\n<total>25</total>\n"
               "<known>\n<username>usr5</username>\n<originator>&lt;&amp;&gt;</originator>\n"
               "<number>10</number>\n<date>20200922T15:03:13Z</date>\n</known>\n"
               "<known>\n<username>usr4</username>\n<useragent>UA</useragent>\n"
               "<number>6</number>\n<date>20200922T15:03:13Z</date>\n</known>\n"
               "<known>\n<useragent>UA</useragent>\n"
               "<number>4</number>\n<date>20200922T14:57:11Z</date>\n</known>\n</body>");
    assert_false(told(r, true, &out)); /* told once */
    for (int i = 0; i < REFUSED_CLIENTS + 10; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        refuse(r, 1, name, "", "");
    }
    assert_true(told(r, true, &out));
    assert_non_null(strstr(out.s, "<total>256</total>"));
    assert_non_null(strstr(out.s, "</known>\n<unknown>10</unknown>\n</body>"));
    refusals_free(r);
}

/* Nobody heard of them: they are told with what came meanwhile, each client once. */
static void refusals_that_nobody_heard_of_stay(void **state)
{
    struct refusals *r = refusals_new();
    _cleanup_str_ struct str out = STR_INIT;
    char name[32];

    clock_us = 1600786631 * SECOND_US;
    refuse(r, 2, "usr1", "", "");
    struct refusals *taken = refusals_take(r);

    assert_false(told(r, false, &out));
    clock_us = 1600786993 * SECOND_US;
    refuse(r, 3, "usr1", "", "");
    refuse(r, 1, "usr2", "", "");
    refusals_return(r, taken);
    assert_true(told(r, false, &out));
    assert_true(told(r, false, &out));
    assert_non_null(strstr(out.s, "<total>6</total>"));
    assert_non_null(strstr(out.s, "<username>usr1</username>\n<number>5</number>\n"
                                  "<date>20200922T15:03:13Z</date>"));
    taken = refusals_take(r);
    for (int i = 0; i < REFUSED_CLIENTS; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        refuse(r, 1, name, "", "");
    }
    refusals_return(r, taken); /* all places are taken */
    assert_true(told(r, true, &out));
    assert_non_null(strstr(out.s, "<total>256</total>"));
    assert_non_null(strstr(out.s, "<unknown>6</unknown>"));
    refusals_free(r);
}

static void registrations_begin_where_they_were_made(void **state)
{
    struct sessions *s = sessions_new(0);
    bool tasks[CLASS_MAX] = {[CLASS_TASK] = true}, pools[CLASS_MAX] = {[CLASS_POOL] = true};

    login(s, "a", 0);
    _cleanup_session_ struct session *l = sessions_find(s, "OpaqueRef:a-0");

    assert_false(session_registration(s, l).any);
    session_register(s, l, tasks, true, (struct token){.stamp = 7});
    session_register(s, l, pools, true, (struct token){.stamp = 9});
    struct registration r = session_registration(s, l);

    assert_true(r.any && r.classes[CLASS_TASK] && r.classes[CLASS_POOL]);
    assert_int_equal(r.token.stamp, 7);
    session_set_token(s, l, (struct token){.stamp = 12});
    session_register(s, l, tasks, false, (struct token){.stamp = 20});
    r = session_registration(s, l);
    assert_true(r.any && !r.classes[CLASS_TASK]);
    assert_int_equal(r.token.stamp, 12);
    session_register(s, l, pools, false, (struct token){.stamp = 21});
    assert_false(session_registration(s, l).any);
    sessions_free(s);
}

static void another_program_knows_the_same_sessions(void **state)
{
    static const bool tasks[CLASS_MAX] = {[CLASS_TASK] = true};
    struct sessions *s = sessions_new(0), *next = sessions_new(0);

    login(s, "a", 0);
    login(s, "b", 1);
    _cleanup_session_ struct session *l = sessions_find(s, "OpaqueRef:a-0");

    l->internal = true;
    session_register(s, l, tasks, true, (struct token){.stamp = 7});
    json_t *list = sessions_write(s);

    json_array_append_new(list, json_pack("{s:s}", "ref", "half a session"));
    sessions_read(next, list);
    json_decref(list);
    assert_int_equal(sessions_count(next), 2);
    _cleanup_session_ struct session *same = sessions_find(next, "OpaqueRef:a-0");
    struct registration r = session_registration(next, same);

    assert_string_equal(same->originator, "a");
    assert_true(same->internal && !same->superuser);
    assert_true(r.any && r.classes[CLASS_TASK] && !r.classes[CLASS_POOL] && r.token.stamp == 7);
    sessions_free(s);
    sessions_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_when_one_originator_has_too_many),
        cmocka_unit_test(a_user_of_many_names_has_no_more_sessions),
        cmocka_unit_test(all_users_together_have_a_limit),
        cmocka_unit_test(calls_of_a_session_are_counted),
        cmocka_unit_test(unused_sessions_expire_after_a_day),
        cmocka_unit_test(a_counted_session_outlives_its_logout),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_flood_is_paced_and_a_trickle_is_not),
        cmocka_unit_test(guesses_of_a_source_are_counted),
        cmocka_unit_test(refusals_are_told),
        cmocka_unit_test(refusals_that_nobody_heard_of_stay),
        cmocka_unit_test(registrations_begin_where_they_were_made),
        cmocka_unit_test(another_program_knows_the_same_sessions),
    };
    static const struct world test_world = {
        .now_us = test_clock, .mono_us = test_clock, .random = NULL};

    world = &test_world;
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    arena_fini(&arena);
    return failed;
}
