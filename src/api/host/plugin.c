/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plugins and extensions: programs an administrator put on the host, run by hostd. */
#include "api/host/plugin_text.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/host_proto.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "gen/types.h"
#include "rpc/call.h"
#include "value/xml.h"

/* The call of a client in JSON, at most what a request may be. */
#define CALL_MAX (512u << 10)

static struct error *run(struct call *c, const struct host_plugin_run_args *args,
                         struct host_plugin_run_result *ret)
{
    TRY(hostd_plugin_run(c->daemon->hostd, args, c->arena, ret));
    if (!ret->status)
        return NULL;
    return err_xenapi_plugin_failure("non-zero exit", ret->out, ret->err);
}

static json_t *plugin_params(const char *session, const struct map_string_string *words)
{
    json_t *params = json_array(), *map = json_object();

    for (size_t i = 0; i < words->n; i++)
        json_object_set_new(map, words->k[i], json_string(words->v[i]));
    json_array_append_new(params, json_string(session));
    json_array_append_new(params, map);
    return params;
}

struct error *api_host_call_plugin(struct call *c, const struct host_call_plugin_args *a,
                                   const char **ret)
{
    _cleanup_json_ json_t *params = plugin_params(c->session, &a->args), *value = NULL;
    _cleanup_str_ struct str text = STR_INIT;
    struct host_plugin_run_result result;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    plugin_call_text(&text, a->fn, params);
    const struct host_plugin_run_args args = {
        .kind = "plugins", .name = a->plugin, .argument = text.s, .input = ""};

    TRY(run(c, &args, &result));
    TRY(plugin_answer(result.out, &value));
    if (!json_is_string(value))
        return err_xenapi_plugin_failure("failed to parse plugin output", result.out,
                                         "the value is not a string");
    *ret = arena_strdup(c->arena, json_string_value(value));
    return NULL;
}

/* ---- extensions */

static struct error *read_call(const char *text, json_t **ret, const char **ret_method,
                               const json_t **ret_params)
{
    if (strlen(text) > CALL_MAX)
        return err_invalid_value("call", "too long");
    _cleanup_error_ struct error *bad = json_parse(text, strlen(text), ret);

    *ret_method = json_string_value(json_object_get(*ret, "method"));
    *ret_params = json_object_get(*ret, "params");
    if (bad || !*ret_method || !json_is_array(*ret_params))
        return err_invalid_value("call", text);
    return NULL;
}

struct error *api_host_call_extension(struct call *c, const struct host_call_extension_args *a)
{
    _cleanup_json_ json_t *call = NULL, *value = NULL;
    _cleanup_str_ struct str text = STR_INIT;
    struct host_plugin_run_result result;
    const struct host_rec *host;
    const json_t *params;
    const char *method;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(read_call(a->call, &call, &method, &params));
    plugin_call_text(&text, method, params);
    const struct host_plugin_run_args args = {
        .kind = "extensions", .name = method, .argument = "--xmlrpc", .input = text.s};
    struct error *e = run(c, &args, &result);

    if (error_is(e, ERR_XENAPI_MISSING_PLUGIN)) {
        error_free(e);
        return err_message_method_unknown(method);
    }
    if (e)
        return e;
    TRY(plugin_answer(result.out, &value));
    if (c->form == FORM_XML) {
        xml_add_value(c->raw, &type_any, &value);
        return NULL;
    }
    _cleanup_free_ char *json = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    str_add(c->raw, json);
    return NULL;
}

static struct error *exists(struct call *c, const char *name, bool *ret)
{
    const struct host_plugin_exists_args args = {.kind = "extensions", .name = name};
    struct host_plugin_exists_result result;

    TRY(hostd_plugin_exists(c->daemon->hostd, &args, c->arena, &result));
    *ret = result.found;
    return NULL;
}

struct error *api_host_has_extension(struct call *c, const struct host_has_extension_args *a,
                                     bool *ret)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    return exists(c, a->name, ret);
}

/* On every host; this one is all of them. */
struct error *api_pool_has_extension(struct call *c, const struct pool_has_extension_args *a,
                                     bool *ret)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, a->self, &pool));
    return exists(c, a->name, ret);
}
