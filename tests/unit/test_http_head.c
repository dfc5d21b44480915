/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of requests and answers, fields, basic authentication, routing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "wire/http_head.h"
#include "wire/reply_head.h"
#include "wire/router.h"

static int parse(struct arena *a, const char *text, struct http_head *ret)
{
    return http_head_parse(a, text, strlen(text), ret);
}

static void an_ordinary_head(void **state)
{
    _cleanup_arena_ struct arena a;
    struct http_head h;

    arena_init(&a);
    assert_int_equal(parse(&a,
                           "PUT /import/?sr_id=OpaqueRef%3Aabc&restore=true&x=a,b+c HTTP/1.1\r\n"
                           "Host: host.example\r\nContent-Length: 1125899906842624\r\n"
                           "Cookie: session_id=s; task_id=t\r\nX-Empty:\r\nX-Blank:  v \t\r\n\r\n",
                           &h),
                     0);
    assert_int_equal(h.verb, VERB_PUT);
    assert_int_equal(h.minor, 1);
    assert_string_equal(h.path, "/import/");
    assert_string_equal(h.target, "/import/?sr_id=OpaqueRef%3Aabc&restore=true&x=a,b+c");
    assert_int_equal(h.content_length, 1125899906842624);
    assert_string_equal(http_query_find(&h, "sr_id"), "OpaqueRef:abc");
    assert_string_equal(http_query_find(&h, "x"), "a,b c");
    assert_null(http_query_find(&h, "SR_ID"));
    assert_string_equal(http_cookie_find(&h, "task_id"), "t");
    assert_string_equal(http_header_find(&h, "HOST"), "host.example");
    assert_string_equal(http_header_find(&h, "x-empty"), "");
    assert_string_equal(http_header_find(&h, "x-blank"), "v");
    assert_null(http_header_find(&h, "x"));
    assert_true(h.keep_alive);
    assert_false(h.chunked || h.expect_continue || h.upgrade_websocket);
}

static void kinds_of_connection(void **state)
{
    static const struct {
        const char *text;
        bool keep_alive, upgrade;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nCONNECTION: foo, Close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\nConnection: keep-alive, Upgrade\nUpgrade: WebSocket\n\n", true, true},
        {"GET / HTTP/1.1\nUpgrade: websocket\n\n", true, false},
        {"CONNECT /console?ref=x HTTP/1.1\r\n\r\n", true, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a;
        struct http_head h;

        arena_init(&a);
        assert_int_equal(parse(&a, cases[i].text, &h), 0);
        assert_int_equal(h.keep_alive, cases[i].keep_alive);
        assert_int_equal(h.upgrade_websocket, cases[i].upgrade);
        assert_int_equal(h.content_length, -1);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *target, *path;
        size_t n_query;
    } cases[] = {
        {"/", "/", 0},
        {"/a%2Fb%25?x", "/a/b%", 1},
        {"/a+b?", "/a+b", 0},
        {"/?&&a=1&&b", "/", 2},
        {"/x?a=b=c?d#f", "/x", 1},
        {"http://host:80/x/y?z=1", "/x/y", 1},
        {"https://host", "/", 0},
        {"//host/x", "//host/x", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a;
        struct http_head h;

        arena_init(&a);
        assert_int_equal(
            parse(&a, arena_printf(&a, "GET %s HTTP/1.1\r\n\r\n", cases[i].target), &h), 0);
        assert_string_equal(h.path, cases[i].path);
        assert_int_equal(h.n_query, cases[i].n_query);
    }
}

static void cookies_of_others_do_no_harm(void **state)
{
    _cleanup_arena_ struct arena a;
    struct http_head h;

    arena_init(&a);
    assert_int_equal(
        parse(&a, "GET / HTTP/1.1\r\nCookie: a=100%; ; b; =c; session_id=x%2By=\r\n\r\n", &h), 0);
    assert_int_equal(h.n_cookies, 4);
    assert_string_equal(http_cookie_find(&h, "a"), "100%");
    assert_string_equal(http_cookie_find(&h, "b"), "");
    assert_string_equal(http_cookie_find(&h, ""), "c");
    assert_string_equal(http_cookie_find(&h, "session_id"), "x+y=");
}

static void broken_heads_have_their_status(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 400},
        {"GET /\r\n\r\n", 505},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"PROPFIND / HTTP/1.1\r\n\r\n", 501},
        {"WHATEVER / HTTP/1.1\r\n\r\n", 501},
        {"GET x HTTP/1.1\r\n\r\n", 400},
        {"GET /%4 HTTP/1.1\r\n\r\n", 400},
        {"GET /?a=%00 HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n: no name\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nName : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nA: b\r\n\rX", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a;
        struct http_head h;

        arena_init(&a);
        assert_int_equal(parse(&a, cases[i].text, &h), cases[i].status);
    }
}

static void numbers_of_fields_are_limited(void **state)
{
    for (int n = HTTP_MAX_HEADERS; n <= HTTP_MAX_HEADERS + 1; n++) {
        _cleanup_arena_ struct arena a;
        _cleanup_str_ struct str text = STR_INIT;
        struct http_head h;

        arena_init(&a);
        str_add(&text, "GET / HTTP/1.1\r\n");
        for (int i = 0; i < n; i++)
            str_printf(&text, "H%d: v%d\r\n", i, i);
        str_add(&text, "\r\n");
        assert_int_equal(parse(&a, text.s, &h), n > HTTP_MAX_HEADERS ? 431 : 0);
        if (n == HTTP_MAX_HEADERS)
            assert_string_equal(http_header_find(&h, "h99"), "v99");
    }
    for (int n = HTTP_MAX_PARAMS; n <= HTTP_MAX_PARAMS + 1; n++) {
        _cleanup_arena_ struct arena a;
        _cleanup_str_ struct str text = STR_INIT;
        struct http_head h;

        arena_init(&a);
        str_add(&text, "GET /?a");
        for (int i = 1; i < n; i++)
            str_add(&text, "&a");
        str_add(&text, " HTTP/1.1\r\n\r\n");
        assert_int_equal(parse(&a, text.s, &h), n > HTTP_MAX_PARAMS ? 400 : 0);
    }
}

/* Whatever the pieces in which a head arrives, its end is found where it is. */
static void the_end_is_found_in_any_pieces(void **state)
{
    static const struct {
        const char *text;
        size_t end;
    } cases[] = {
        {"GET / HTTP/1.1\r\nA: b\r\n\r\nrest", 24},
        {"GET / HTTP/1.1\nA: b\n\nrest", 21},
        {"GET / HTTP/1.1\nA: b\n\r\nrest", 22},
        {"GET / HTTP/1.1\r\nA: b\r\n\r", 0},
        {"GET / HTTP/1.1\r\nA: b\r\n", 0},
        {"\r\n\r\n", 4},
        {"", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t len = strlen(cases[i].text);

        for (size_t step = 1; step <= len + 1; step++) {
            size_t scanned = 0, end = 0;

            for (size_t have = 0; !end && have < len;) {
                have = MIN(have + step, len);
                end = http_head_end(cases[i].text, have, &scanned);
                assert_true(scanned <= have);
                assert_true(end <= have);
            }
            assert_int_equal(end, cases[i].end);
        }
    }
}

static void basic_authentication(void **state)
{
    static const struct {
        const char *value, *user, *password;
    } cases[] = {
        {"Basic cm9vdDpzZWNyZXQ=", "root", "secret"},
        {"basic  cm9vdDo=", "root", ""},
        {"Basic cm9vdDphOmI=", "root", "a:b"},
        {"Basic cm9vdA==", NULL, NULL},        /* no colon */
        {"Basic cm9vdDpzZWNyZXQ", NULL, NULL}, /* length */
        {"Basic ????", NULL, NULL},
        {"Basic ", NULL, NULL},
        {"Basic cm8AdDphYg==", NULL, NULL}, /* NUL inside */
        {"Bearer cm9vdDo=", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_arena_ struct arena a;
        const char *user = NULL, *password = NULL;
        struct http_head h;

        arena_init(&a);
        assert_int_equal(
            parse(&a,
                  arena_printf(&a, "GET / HTTP/1.1\r\nAuthorization: %s\r\n\r\n", cases[i].value),
                  &h),
            0);
        assert_int_equal(http_basic_auth(&a, &h, &user, &password), cases[i].user != NULL);
        if (!cases[i].user)
            continue;
        assert_string_equal(user, cases[i].user);
        assert_string_equal(password, cases[i].password);
    }
}

static void tokens_are_whole_words(void **state)
{
    _cleanup_arena_ struct arena a;
    struct http_head h;

    arena_init(&a);
    assert_int_equal(parse(&a, "GET / HTTP/1.1\r\nX: upgraded, one\r\nx:two ,\tThree\r\n\r\n", &h),
                     0);
    assert_false(http_header_has_token(&h, "x", "upgrade"));
    assert_true(http_header_has_token(&h, "X", "one"));
    assert_true(http_header_has_token(&h, "X", "TWO"));
    assert_true(http_header_has_token(&h, "X", "three"));
    assert_false(http_header_has_token(&h, "X", "thre"));
}

static void answers_have_their_head(void **state)
{
    _cleanup_arena_ struct arena a;
    const struct http_field headers[] = {{"location", "https://x/\r\nset-cookie: evil=1"}};
    struct http_reply reply = {.status = 302, .headers = headers, .n_headers = 1};

    arena_init(&a);
    struct iovec head = reply_head(&a, 1, &reply, 0, true);

    assert_string_equal(arena_memdup0(&a, head.iov_base, head.iov_len),
                        "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n"
                        "cache-control: no-cache, no-store\r\nlocation: https://x/\r\n\r\n");
    reply = (struct http_reply){.status = 200, .type = "text/xml"};
    head = reply_head(&a, 0, &reply, -1, false);
    assert_string_equal(arena_memdup0(&a, head.iov_base, head.iov_len),
                        "HTTP/1.0 200 OK\r\ncontent-type: text/xml\r\nconnection: keep-alive\r\n"
                        "cache-control: no-cache, no-store\r\n\r\n");
    head = reply_head(&a, 1, &reply, INT64_MAX, false);
    assert_non_null(strstr(arena_memdup0(&a, head.iov_base, head.iov_len),
                           "content-length: 9223372036854775807\r\n"));
}

static void nothing(void *ctx, struct http_request *rq)
{
}

static void routes_go_by_method_and_longest_prefix(void **state)
{
    static const struct http_route routes[] = {
        {VERB_GET, "/", 0, 0, nothing, NULL},
        {VERB_GET, "/export", 0, 0, nothing, NULL},
        {VERB_GET, "/export_raw_vdi", 0, 0, nothing, NULL},
        {VERB_POST, "/", 1, 0, nothing, NULL},
        {VERB_POST, "/json", 1, 0, nothing, NULL},
        {VERB_POST, "/jsonrpc", 1, 0, nothing, NULL},
        {VERB_PUT, "/import", 0, 0, nothing, NULL},
    };
    static const struct {
        enum http_verb verb;
        const char *path;
        const char *prefix; /* NULL: refused with the status */
        int status;
    } cases[] = {
        {VERB_GET, "/export/", "/export", 0},
        {VERB_GET, "/export_raw_vdi/x", "/export_raw_vdi", 0},
        {VERB_GET, "/export_metadata", "/export", 0},
        {VERB_GET, "/expor", "/", 0},
        {VERB_POST, "/xmlrpc", "/", 0},
        {VERB_POST, "/jsonrpc", "/jsonrpc", 0},
        {VERB_POST, "/jsonrp", "/json", 0},
        {VERB_PUT, "/", NULL, 403},
        {VERB_PUT, "/impor", NULL, 403},
        {VERB_DELETE, "/", NULL, 501},
    };
    struct router *r = router_new(routes, ARRAY_SIZE(routes));

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = 0;
        const struct http_route *found = router_find(r, cases[i].verb, cases[i].path, &status);

        assert_int_equal(status, cases[i].status);
        if (cases[i].prefix) {
            assert_non_null(found);
            assert_string_equal(found->prefix, cases[i].prefix);
            assert_int_equal(found->verb, cases[i].verb);
        } else {
            assert_null(found);
        }
    }
    router_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_head),
        cmocka_unit_test(kinds_of_connection),
        cmocka_unit_test(targets),
        cmocka_unit_test(cookies_of_others_do_no_harm),
        cmocka_unit_test(broken_heads_have_their_status),
        cmocka_unit_test(numbers_of_fields_are_limited),
        cmocka_unit_test(the_end_is_found_in_any_pieces),
        cmocka_unit_test(basic_authentication),
        cmocka_unit_test(tokens_are_whole_words),
        cmocka_unit_test(answers_have_their_head),
        cmocka_unit_test(routes_go_by_method_and_longest_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
