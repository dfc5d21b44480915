/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/host/plugin_text.h"

#include "base/mem.h"
#include "gen/errors.h"
#include "gen/types.h"
#include "value/xml.h"

#define PARAMS_MAX 64

void plugin_call_text(struct str *out, const char *method, const json_t *params)
{
    json_t *item;
    size_t i;

    str_lit(out, "<?xml version=\"1.0\"?><methodCall><methodName>");
    xml_add_text(out, method);
    str_lit(out, "</methodName><params>");
    json_array_foreach (params, i, item) {
        str_lit(out, "<param>");
        xml_add_value(out, &type_any, &item);
        str_lit(out, "</param>");
    }
    str_lit(out, "</params></methodCall>");
}

/* ["CODE", "parameter" ...] of the program's own failure. */
static struct error *own_failure(const json_t *words)
{
    const char *v[PARAMS_MAX];
    json_t *item;
    size_t i;
    int n = 0;

    json_array_foreach (words, i, item)
        if (n < PARAMS_MAX && json_is_string(item))
            v[n++] = json_string_value(item);
    if (!n)
        return err_xenapi_plugin_failure("failed to parse plugin output", "", "no error code");
    return error_api_v(v[0], v + 1, n - 1);
}

static struct error *fault(const json_t *f)
{
    const json_t *code = json_object_get(f, "faultCode");
    const char *why = json_string_value(json_object_get(f, "faultString"));
    _cleanup_free_ char *number = xasprintf("%lld", (long long)json_integer_value(code));

    return err_xenapi_plugin_failure(
        "fault", json_is_string(code) ? json_string_value(code) : number, why ? why : "");
}

struct error *plugin_answer(const char *text, json_t **ret)
{
    _cleanup_json_ json_t *v = NULL;
    bool is_fault = false;
    _cleanup_error_ struct error *bad = xml_parse_answer(text, strlen(text), &v, &is_fault);

    if (bad) {
        _cleanup_free_ char *why = error_string(bad);

        return err_xenapi_plugin_failure("failed to parse plugin output", text, why);
    }
    if (is_fault)
        return fault(v);
    const char *status = json_string_value(json_object_get(v, "Status"));

    if (status && streq(status, "Failure"))
        return own_failure(json_object_get(v, "ErrorDescription"));
    *ret = status ? json_incref(json_object_get(v, "Value")) : TAKE_PTR(v);
    if (!*ret)
        *ret = json_string("");
    return NULL;
}
