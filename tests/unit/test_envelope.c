/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls and answers as they stand on the wire, in all three formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "value/xml.h"
#include "wire/envelope.h"

static struct arena arena;

static int end_arena(void **state)
{
    arena_fini(&arena);
    return 0;
}

static struct rpc_request parsed(bool json, const char *text)
{
    struct rpc_request r;
    struct error *e = rpc_parse(&arena, json, text, strlen(text), &r);

    if (e)
        fail_msg("%s: %s", text, e->params[0]);
    return r;
}

static void assert_request(bool json, const char *text, enum rpc_format format, const char *method,
                           const char *params, const char *id)
{
    struct rpc_request r = parsed(json, text);
    _cleanup_free_ char *got = json_dumps(r.params, JSON_COMPACT);

    assert_int_equal(r.format, format);
    assert_string_equal(r.method, method);
    assert_string_equal(got, params);
    assert_string_equal(r.id, id);
    rpc_request_fini(&r);
}

static const char *joined(const struct rpc_answer *a)
{
    _cleanup_str_ struct str s = STR_INIT;

    for (size_t i = 0; i < a->n; i++)
        str_add_mem(&s, a->pieces[i].iov_base, a->pieces[i].iov_len);
    return arena_strdup(&arena, str_cstr(&s));
}

static void assert_malformed(bool json, const char *text, const char *says, const char *answer)
{
    struct rpc_request r;
    struct rpc_answer a;
    _cleanup_error_ struct error *e = rpc_parse(&arena, json, text, strlen(text), &r);

    if (!e)
        fail_msg("%s was accepted", text);
    assert_true(error_is(e, "INTERNAL_ERROR"));
    if (!strstr(e->params[0], says))
        fail_msg("\"%s\" does not say \"%s\"", e->params[0], says);
    rpc_failure(&arena, &r, e, &a);
    if (!strstr(joined(&a), answer))
        fail_msg("%s lacks %s", joined(&a), answer);
    rpc_request_fini(&r);
}

static void requests_of_each_format(void **state)
{
    assert_request(false,
                   "<?xml version='1.0'?><methodCall><methodName>VM.start</methodName><params>"
                   "<param><value>s</value></param><param><value><boolean>1</boolean></value>"
                   "</param></params></methodCall>",
                   RPC_XML, "VM.start", "[\"s\",true]", "null");
    assert_request(true, "{\"method\":\"m\",\"params\":[1,\"x\"],\"id\":0}", RPC_JSON1, "m",
                   "[1,\"x\"]", "0");
    assert_request(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[],\"id\":\"a\\\"b\"}",
                   RPC_JSON2, "m", "[]", "\"a\\\"b\"");
    assert_request(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":1},\"id\":-5}",
                   RPC_JSON2, "m", "[{\"a\":1}]", "-5");
    assert_request(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}", RPC_JSON2, "m", "[]",
                   "1");
    assert_request(true, "{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}", RPC_JSON1, "m", "[]",
                   "1");
}

static void malformed_requests_are_answered(void **state)
{
    assert_malformed(true, "", "malformed JSON", "\"id\":null}");
    assert_malformed(true, "{", "malformed JSON", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,");
    assert_malformed(true, "[{\"method\":\"m\",\"id\":1}]", "batches are not supported", "null}");
    assert_malformed(true, "7", "not an object", "\"id\":null}");
    assert_malformed(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[]}",
                     "id is neither an integer nor a string", "\"id\":null}");
    assert_malformed(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":null}",
                     "id is neither an integer nor a string", "\"id\":null}");
    assert_malformed(true, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1.5}",
                     "id is neither an integer nor a string", "\"id\":null}");
    assert_malformed(true, "{\"jsonrpc\":\"2.0\",\"params\":[],\"id\":9}", "method is not a string",
                     "\"message\":\"INTERNAL_ERROR\"");
    assert_malformed(true, "{\"params\":[],\"id\":9}", "method is not a string",
                     "{\"result\":null,\"error\":[\"INTERNAL_ERROR\",");
    assert_malformed(true, "{\"params\":[],\"id\":9}", "method is not a string", "\"id\":9}");
    assert_malformed(true, "{\"method\":\"m\",\"params\":\"x\",\"id\":9}",
                     "params is neither an array nor an object", "\"id\":9}");
    assert_malformed(false, "", "malformed XML-RPC", "<name>ErrorDescription</name>");
    assert_malformed(false, "<methodCall><methodName/></methodCall>", "no method name",
                     "<value>INTERNAL_ERROR</value>");
    assert_malformed(false, "<!DOCTYPE a><methodCall/>", "document type", "<value>Failure</value>");
}

static void successes_wrap_the_pieces_they_are_given(void **state)
{
    struct iovec v[] = {{(void *)(uintptr_t) "<value>", 7}, {(void *)(uintptr_t) "x</value>", 9}};
    struct iovec j[] = {{(void *)(uintptr_t) "[1,", 3}, {(void *)(uintptr_t) "2]", 2}};
    struct rpc_request xml = {.format = RPC_XML, .id = "null"};
    struct rpc_request one = {.format = RPC_JSON1, .id = "7"};
    struct rpc_request two = {.format = RPC_JSON2, .id = "\"a\""};
    struct rpc_answer a;

    rpc_success(&arena, &xml, v, 2, &a);
    assert_string_equal(a.type, "text/xml");
    assert_ptr_equal(a.pieces[1].iov_base, v[0].iov_base); /* not a copy */
    assert_string_equal(joined(&a),
                        "<?xml version=\"1.0\"?><methodResponse><params><param><value><struct>"
                        "<member><name>Status</name><value>Success</value></member>"
                        "<member><name>Value</name><value>x</value></member></struct></value>"
                        "</param></params></methodResponse>");
    rpc_bare(&arena, &xml, v, 2, &a);
    assert_string_equal(joined(&a), "<?xml version=\"1.0\"?><methodResponse><params><param>"
                                    "<value>x</value></param></params></methodResponse>");
    rpc_success(&arena, &one, j, 2, &a);
    assert_string_equal(a.type, "application/json");
    assert_string_equal(joined(&a), "{\"result\":[1,2],\"error\":null,\"id\":7}");
    rpc_success(&arena, &two, j, 2, &a);
    assert_string_equal(joined(&a), "{\"jsonrpc\":\"2.0\",\"result\":[1,2],\"id\":\"a\"}");
    rpc_bare(&arena, &two, j, 2, &a);
    assert_string_equal(joined(&a), "{\"jsonrpc\":\"2.0\",\"result\":[1,2],\"id\":\"a\"}");
}

static void failures_of_each_format(void **state)
{
    _cleanup_error_ struct error *e = error_api("HANDLE_INVALID", 2, "VM", "<\"&\n>");
    _cleanup_error_ struct error *none = error_api("MESSAGE_REMOVED", 0);
    struct rpc_request xml = {.format = RPC_XML, .id = "null"};
    struct rpc_request one = {.format = RPC_JSON1, .id = "7"};
    struct rpc_request two = {.format = RPC_JSON2, .id = "7"};
    struct rpc_answer a;

    rpc_failure(&arena, &xml, e, &a);
    assert_string_equal(a.type, "text/xml");
    assert_string_equal(joined(&a),
                        "<?xml version=\"1.0\"?><methodResponse><params><param><value><struct>"
                        "<member><name>Status</name><value>Failure</value></member>"
                        "<member><name>ErrorDescription</name><value><array><data>"
                        "<value>HANDLE_INVALID</value><value>VM</value>"
                        "<value>&lt;&quot;&amp;\n&gt;</value></data></array></value></member>"
                        "</struct></value></param></params></methodResponse>");
    rpc_failure(&arena, &one, e, &a);
    assert_string_equal(joined(&a), "{\"result\":null,\"error\":[\"HANDLE_INVALID\",\"VM\","
                                    "\"<\\\"&\\n>\"],\"id\":7}");
    rpc_failure(&arena, &one, none, &a);
    assert_string_equal(joined(&a), "{\"result\":null,\"error\":[\"MESSAGE_REMOVED\"],\"id\":7}");
    rpc_failure(&arena, &two, e, &a);
    assert_string_equal(a.type, "application/json");
    assert_string_equal(joined(&a),
                        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"HANDLE_INVALID\","
                        "\"data\":[\"VM\",\"<\\\"&\\n>\"]},\"id\":7}");
    rpc_failure(&arena, &two, none, &a);
    assert_string_equal(joined(&a), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":"
                                    "\"MESSAGE_REMOVED\",\"data\":[]},\"id\":7}");
}

static void failures_are_utf8_whatever_their_text(void **state)
{
    _cleanup_error_ struct error *e =
        error_api("INTERNAL_ERROR", 1,
                  "ok \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 cut \xc3, bare \x80, long \xc0\xaf, "
                  "surrogate \xed\xa0\x80, \xff, end \xe2\x82");
    struct rpc_request two = {.format = RPC_JSON2, .id = "7"};
    struct rpc_answer a;
    json_t *j = NULL;

    rpc_failure(&arena, &two, e, &a);
    assert_null(json_parse(joined(&a), strlen(joined(&a)), &j));
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(json_object_get(j, "error"), "data"), 0)),
        "ok \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 cut ?, bare ?, long ??, surrogate ???, ?, end "
        "??");
    json_decref(j);

    struct rpc_request xml = {.format = RPC_XML, .id = "null"};

    rpc_failure(&arena, &xml, e, &a);
    assert_null(xml_parse_response(joined(&a), strlen(joined(&a)), &j));
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(requests_of_each_format, end_arena),
        cmocka_unit_test_teardown(malformed_requests_are_answered, end_arena),
        cmocka_unit_test_teardown(successes_wrap_the_pieces_they_are_given, end_arena),
        cmocka_unit_test_teardown(failures_of_each_format, end_arena),
        cmocka_unit_test_teardown(failures_are_utf8_whatever_their_text, end_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
