/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/session.h"

#include "base/mem.h"
#include "cli/skim.h"
#include "value/type.h"

#include <stdarg.h>

#define VERSION    "1.0"
#define ORIGINATOR "cli"

void client_init(struct client *c, const struct options *o, struct front *front)
{
    *c = (struct client){.front = front, .options = o, .http.options = o};
}

void client_fini(struct client *c)
{
    if (c->session && !c->keeps_session)
        IGNORE_ERROR(call(c, NULL, c->local ? "session.local_logout" : "session.logout", ""));
    free(c->session);
    c->session = NULL;
    http_client_fini(&c->http);
}

/* The error of an envelope, NULL if it holds a result. */
static struct error *failure_in(const struct str *text)
{
    struct slice key, value = {0};
    struct skim s;

    if (!skim_enter((struct slice){str_cstr(text), text->len}, &s))
        return error_text("the server's answer is not JSON-RPC");
    /* A result may be long: it is not walked over to see that nothing follows. */
    while (skim_key(&s, &key)) {
        if (slice_is(key, "result"))
            return NULL;
        if (!skim_value(&s, &value))
            break;
        if (slice_is(key, "error") && !slice_is_null(value))
            break;
        value = (struct slice){0};
    }
    _cleanup_json_ json_t *error = value.n ? json_loadb(value.p, value.n, 0, NULL) : NULL;
    const json_t *data = json_object_get(error, "data");

    if (!error)
        return error_text("the server's answer is not JSON-RPC");
    size_t n = json_array_size(data);
    const char **params = xnew_array(const char *, n + 1);

    for (size_t i = 0; i < n; i++)
        params[i] = json_string_value(json_array_get(data, i)) ?: "";
    struct error *e = error_api_v(text_of(error, "message"), params, (int)n);

    free(params);
    return e;
}

/* NULL: something is no text. Takes args. */
static char *envelope(const char *message, json_t *args)
{
    _cleanup_json_ json_t *j =
        json_pack("{ss ss so si}", "jsonrpc", "2.0", "method", message, "params", args, "id", 1);

    return j ? json_dumps(j, JSON_COMPACT) : NULL;
}

static struct error *send_call(struct client *c, struct str *ret_text, const char *message,
                               json_t *args)
{
    _cleanup_free_ char *body = envelope(message, args);

    if (!body)
        return error_text("a parameter is not UTF-8");
    TRY(http_post_all(&c->http, "/jsonrpc", &body, 1, ret_text));
    return failure_in(ret_text);
}

struct error *client_login(struct client *c)
{
    const struct options *o = c->options;
    _cleanup_str_ struct str text = STR_INIT;
    struct error *e;

    if (c->session)
        return NULL;
    if (c->local)
        e = send_call(c, &text, "session.slave_local_login_with_password",
                      json_pack("[ss]", o->user, o->password));
    else
        e = send_call(c, &text, "session.login_with_password",
                      json_pack("[ssss]", o->user, o->password, VERSION, ORIGINATOR));
    TRY(e);
    _cleanup_json_ json_t *answer = json_loadb(text.s, text.len, 0, NULL);

    c->session = xstrdup(text_of(answer, "result"));
    return NULL;
}

struct error *call_text(struct client *c, struct str *ret_text, const char *message, json_t *args)
{
    struct error *e = client_login(c);

    if (e) {
        json_decref(args);
        return e;
    }
    json_array_insert_new(args, 0, json_string(c->session));
    return send_call(c, ret_text, message, args);
}

struct error *call_texts_of(struct client *c, struct str *ret_texts, char *const *messages,
                            char *const *refs, size_t n)
{
    char **bodies = xnew_array(char *, n + 1);
    struct error *e = client_login(c);

    for (size_t i = 0; i < n && !e; i++)
        bodies[i] = envelope(messages[i], refs ? json_pack("[ss]", c->session, refs[i])
                                               : json_pack("[s]", c->session));
    if (!e)
        e = http_post_all(&c->http, "/jsonrpc", bodies, n, ret_texts);
    for (size_t i = 0; i < n && !e; i++)
        e = failure_in(&ret_texts[i]);
    for (size_t i = 0; i < n; i++)
        free(bodies[i]);
    free(bodies);
    return e;
}

struct error *call_texts(struct client *c, struct str *ret_texts, char *const *messages, size_t n)
{
    return call_texts_of(c, ret_texts, messages, NULL, n);
}

struct error *call_array(struct client *c, json_t **ret, const char *message, json_t *args)
{
    _cleanup_str_ struct str text = STR_INIT;

    TRY(call_text(c, &text, message, args));
    if (!ret)
        return NULL;
    _cleanup_json_ json_t *answer = json_loadb(text.s, text.len, JSON_ALLOW_NUL, NULL);
    json_t *result = json_object_get(answer, "result");

    if (!result)
        return error_text("the server's answer is not JSON-RPC");
    *ret = json_incref(result);
    return NULL;
}

static json_t *pack(const char *fmt, va_list ap)
{
    _cleanup_free_ char *whole = xasprintf("[%s]", fmt);

    return json_vpack_ex(NULL, 0, whole, ap);
}

struct error *call(struct client *c, json_t **ret, const char *message, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    json_t *args = pack(fmt, ap);

    va_end(ap);
    if (!args)
        return error_text("a parameter is not UTF-8");
    return call_array(c, ret, message, args);
}

struct error *call_string(struct client *c, char **ret, const char *message, const char *fmt, ...)
{
    _cleanup_json_ json_t *j = NULL;
    va_list ap;

    va_start(ap, fmt);
    json_t *args = pack(fmt, ap);

    va_end(ap);
    if (!args)
        return error_text("a parameter is not UTF-8");
    TRY(call_array(c, &j, message, args));
    if (!json_is_string(j))
        return error_text("%s did not answer a text", message);
    *ret = xstrdup(json_string_value(j));
    return NULL;
}

struct error *ref_of(struct client *c, const char *cls, const char *uuid, char **ret)
{
    _cleanup_free_ char *message = xasprintf("%s.get_by_uuid", cls);

    return call_string(c, ret, message, "s", uuid);
}

struct error *uuid_of(struct client *c, const char *cls, const char *ref, char **ret)
{
    _cleanup_free_ char *message = xasprintf("%s.get_uuid", cls);

    return call_string(c, ret, message, "s", ref);
}

struct error *the_pool(struct client *c, char **ret)
{
    _cleanup_json_ json_t *all = NULL;

    TRY(call(c, &all, "pool.get_all", ""));
    const char *first = json_string_value(json_array_get(all, 0));

    if (!first)
        return error_text("there is no pool");
    *ret = xstrdup(first);
    return NULL;
}

struct error *leading_host(struct client *c, char **ret)
{
    _cleanup_free_ char *pool = NULL;

    TRY(the_pool(c, &pool));
    return call_string(c, ret, "pool.get_master", "s", pool);
}

const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member)) ?: "";
}

bool is_true(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

/* Errors do not say of which class their references are, so the likely ones are asked in turn. */
char *client_describe(struct client *c, const char *ref)
{
    static const char *const likely[] = {"VM",      "VDI", "SR",  "host", "VBD",  "VIF",
                                         "network", "PIF", "PBD", "pool", "task", "console"};
    char *label = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(likely) && !label; i++) {
        _cleanup_free_ char *message = xasprintf("%s.get_record", likely[i]);
        _cleanup_json_ json_t *record = NULL;
        struct error *e = call(c, &record, message, "s", ref);

        if (e) {
            error_free(e);
            continue;
        }
        const char *name = json_string_value(json_object_get(record, "name_label"));

        label = name ? xasprintf("%s (%s)", text_of(record, "uuid"), name)
                     : xstrdup(text_of(record, "uuid"));
    }
    return label;
}
