/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/envelope.h"

#include "base/utf8.h"
#include "value/xml.h"

#include <assert.h>

#define XML_HEAD "<?xml version=\"1.0\"?><methodResponse><params><param>"
#define XML_TAIL "</param></params></methodResponse>"
#define XML_SUCCESS                                                                                \
    "<value><struct><member><name>Status</name><value>Success</value></member>"                    \
    "<member><name>Value</name>"
#define XML_SUCCESS_END "</member></struct></value>"

static const char type_xml[] = "text/xml";
static const char type_json[] = "application/json";

void rpc_request_fini(struct rpc_request *rq)
{
    json_decref(rq->params);
    rq->params = NULL;
}

/* ---- requests ---- */

static struct error *parse_xml(struct arena *a, const char *body, size_t len,
                               struct rpc_request *ret)
{
    struct xml_call c;

    TRY(xml_parse_call(body, len, &c));
    ret->method = arena_strdup(a, c.method);
    ret->params = TAKE_PTR(c.params);
    xml_call_fini(&c);
    return NULL;
}

static struct error *take_id(struct arena *a, const json_t *id, struct rpc_request *ret)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (json_is_integer(id))
        str_add_int(&text, json_integer_value(id));
    else if (json_is_string(id))
        json_add_string(&text, json_string_value(id));
    else
        return error_text("malformed JSON-RPC: id is neither an integer nor a string");
    ret->id = arena_memdup0(a, text.s, text.len);
    return NULL;
}

/* An object is the call's only parameter. */
static struct error *take_params(json_t *params, struct rpc_request *ret)
{
    if (params && !json_is_array(params) && !json_is_object(params))
        return error_text("malformed JSON-RPC: params is neither an array nor an object");
    ret->params = json_is_array(params) ? json_incref(params) : json_array();
    if (json_is_object(params))
        json_array_append(ret->params, params);
    return NULL;
}

static struct error *parse_json(struct arena *a, const char *body, size_t len,
                                struct rpc_request *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(json_parse(body, len, &j));
    if (json_is_array(j))
        return error_text("malformed JSON-RPC: batches are not supported");
    if (!json_is_object(j))
        return error_text("malformed JSON-RPC: the request is not an object");
    const char *version = json_string_value(json_object_get(j, "jsonrpc"));
    const char *method = json_string_value(json_object_get(j, "method"));

    if (!version || !streq(version, "2.0"))
        ret->format = RPC_JSON1;
    TRY(take_id(a, json_object_get(j, "id"), ret));
    if (str_empty(method))
        return error_text("malformed JSON-RPC: method is not a string");
    TRY(take_params(json_object_get(j, "params"), ret));
    ret->method = arena_strdup(a, method);
    return NULL;
}

struct error *rpc_parse(struct arena *a, bool json, const char *body, size_t len,
                        struct rpc_request *ret)
{
    *ret = (struct rpc_request){
        .format = json ? RPC_JSON2 : RPC_XML,
        .method = "",
        .id = "null",
    };
    struct error *e = json ? parse_json(a, body, len, ret) : parse_xml(a, body, len, ret);

    return e ? error_to_api(e) : NULL;
}

/* ---- successes ---- */

static struct iovec piece(const char *text)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
}

static void wrap(struct arena *a, enum rpc_format format, const char *head,
                 const struct iovec *value, size_t n, const char *tail, struct rpc_answer *ret)
{
    struct iovec *v = arena_alloc(a, (n + 2) * sizeof(*v));

    v[0] = piece(head);
    if (n)
        memcpy(v + 1, value, n * sizeof(*v));
    v[n + 1] = piece(tail);
    *ret = (struct rpc_answer){
        .type = format == RPC_XML ? type_xml : type_json,
        .pieces = v,
        .n = n + 2,
    };
}

void rpc_success(struct arena *a, const struct rpc_request *rq, const struct iovec *value, size_t n,
                 struct rpc_answer *ret)
{
    switch (rq->format) {
    case RPC_XML:
        wrap(a, rq->format, XML_HEAD XML_SUCCESS, value, n, XML_SUCCESS_END XML_TAIL, ret);
        break;
    case RPC_JSON1:
        wrap(a, rq->format, "{\"result\":", value, n,
             arena_printf(a, ",\"error\":null,\"id\":%s}", rq->id), ret);
        break;
    case RPC_JSON2:
        wrap(a, rq->format, "{\"jsonrpc\":\"2.0\",\"result\":", value, n,
             arena_printf(a, ",\"id\":%s}", rq->id), ret);
    }
}

void rpc_bare(struct arena *a, const struct rpc_request *rq, const struct iovec *value, size_t n,
              struct rpc_answer *ret)
{
    if (rq->format == RPC_XML)
        wrap(a, rq->format, XML_HEAD, value, n, XML_TAIL, ret);
    else
        rpc_success(a, rq, value, n, ret);
}

/* ---- failures ---- */

/* Error texts may hold file names, output of programs, or a text that was cut anywhere. */
static const char *clean(struct arena *a, const char *s)
{
    char *copy = arena_strdup(a, s);

    utf8_clean(copy);
    return copy;
}

static void add_params_json(struct arena *a, struct str *out, const struct error *e)
{
    for (int i = 0; i < e->n_params; i++) {
        if (i)
            str_add_char(out, ',');
        json_add_string(out, clean(a, e->params[i]));
    }
}

static void failure_xml(struct arena *a, struct str *out, const struct error *e)
{
    str_lit(out, XML_HEAD "<value><struct><member><name>Status</name><value>Failure</value>"
                          "</member><member><name>ErrorDescription</name><value><array><data>"
                          "<value>");
    xml_add_text(out, e->code);
    for (int i = 0; i < e->n_params; i++) {
        str_lit(out, "</value><value>");
        xml_add_text(out, clean(a, e->params[i]));
    }
    str_lit(out, "</value></data></array></value></member></struct></value>" XML_TAIL);
}

static void failure_json1(struct arena *a, struct str *out, const struct rpc_request *rq,
                          const struct error *e)
{
    str_lit(out, "{\"result\":null,\"error\":[");
    json_add_string(out, e->code);
    if (e->n_params)
        str_add_char(out, ',');
    add_params_json(a, out, e);
    str_lit(out, "],\"id\":");
    str_add(out, rq->id);
    str_add_char(out, '}');
}

/* The number is always 1; clients look at message. */
static void failure_json2(struct arena *a, struct str *out, const struct rpc_request *rq,
                          const struct error *e)
{
    str_lit(out, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":");
    json_add_string(out, e->code);
    str_lit(out, ",\"data\":[");
    add_params_json(a, out, e);
    str_lit(out, "]},\"id\":");
    str_add(out, rq->id);
    str_add_char(out, '}');
}

void rpc_failure(struct arena *a, const struct rpc_request *rq, const struct error *e,
                 struct rpc_answer *ret)
{
    _cleanup_str_ struct str text = STR_INIT;

    assert(e->code); /* error_to_api comes first */
    if (rq->format == RPC_XML)
        failure_xml(a, &text, e);
    else if (rq->format == RPC_JSON1)
        failure_json1(a, &text, rq, e);
    else
        failure_json2(a, &text, rq, e);
    struct iovec *v = arena_new(a, struct iovec);

    *v = (struct iovec){.iov_base = arena_memdup0(a, text.s, text.len), .iov_len = text.len};
    *ret = (struct rpc_answer){
        .type = rq->format == RPC_XML ? type_xml : type_json, .pieces = v, .n = 1};
}
