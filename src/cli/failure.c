/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words for failures, from the error catalogue. The layout is what scripts read: the sentence, then
 * one "label: value" for each parameter.
 */
#include "cli/failure.h"

#include "cli/session.h"
#include "gen/errors.h"
#include "value/type.h"

#define CODE_USAGE "xe:usage"
#define CODE_EXIT  "xe:exit"

struct error *fail_usage(const char *prefix, const char *text)
{
    return error_api(CODE_USAGE, 2, prefix, text);
}

struct error *fail_exit(int code)
{
    char text[12];

    snprintf(text, sizeof(text), "%d", code);
    return error_api(CODE_EXIT, 1, text);
}

struct error *fail_code(const char *code, const char *param)
{
    return error_api(code, 1, param);
}

/* "uuid (name)" of a reference of any class, the text itself if it is none. */
static char *shown(struct client *c, const char *text)
{
    char *label = NULL;

    if (c && str_starts(text, "OpaqueRef:") && !streq(text, REF_NULL))
        label = client_describe(c, text);
    return label ? label : xstrdup(text);
}

static void add_param(struct client *c, const char *label, const char *value, struct str *out)
{
    _cleanup_free_ char *text = value ? shown(c, value) : NULL;

    str_printf(out, "\n%s: %s", label, text ? text : "<unknown>");
}

static void add_api(struct client *c, const struct error *e, struct str *out)
{
    const struct error_info *info = error_catalogue_find(e->code);

    if (!info) {
        str_printf(out, "Error code: %s\nError parameters: ", e->code);
        for (int i = 0; i < e->n_params; i++) {
            _cleanup_free_ char *text = shown(c, e->params[i]);

            str_printf(out, "%s%s", i ? ", " : "", text);
        }
        return;
    }
    bool all_vms = streq(e->code, ERR_VMS_FAILED_TO_COOPERATE);

    str_add(out, *info->doc ? info->doc : e->code);
    for (int i = 0; i < MAX(e->n_params, all_vms ? 0 : info->n_params); i++) {
        const char *label = i < info->n_params ? info->params[i] : "<extra>";

        add_param(c, all_vms ? "VM" : label, i < e->n_params ? e->params[i] : NULL, out);
    }
}

void failure_text(struct client *c, const struct error *e, struct str *out)
{
    if (!e->code) {
        _cleanup_free_ char *text = error_string(e);

        str_printf(out, "Error: %s", text);
    } else if (streq(e->code, CODE_USAGE)) {
        str_printf(out, "%s%s%s\nFor usage run: 'xe help'", e->params[0], *e->params[0] ? ": " : "",
                   e->params[1]);
    } else if (streq(e->code, ERR_SESSION_AUTHENTICATION_FAILED)) {
        bool nameless = !e->n_params || !*e->params[0];

        str_printf(out, "%s\nFor usage run: 'xe help'",
                   nameless ? "Username/password must be specified" : "Authentication failed");
    } else {
        add_api(c, e, out);
    }
}

/* One object for programs: the words, and of an API error its code and parameters. */
static void tell_json(struct front *f, const struct error *e, const char *text)
{
    _cleanup_json_ json_t *j = json_pack("{ss}", "error", text);

    if (!j)
        j = json_pack("{ss}", "error", "a text that is not UTF-8");
    if (e->code && !str_starts(e->code, "xe:")) {
        json_t *params = json_array();

        for (int i = 0; i < e->n_params; i++)
            json_array_append_new(params, json_string(e->params[i]));
        json_object_set_new(j, "code", json_string(e->code));
        json_object_set_new(j, "params", params);
    }
    _cleanup_free_ char *line = json_dumps(j, JSON_COMPACT);

    front_tell(f, "%s\n", line);
}

int failure_tell(struct front *f, struct client *c, const struct error *e)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (e->code && streq(e->code, CODE_EXIT))
        return (int)strtol(e->params[0], NULL, 10);
    failure_text(c, e, &text);
    if (c && c->json) {
        tell_json(f, e, str_cstr(&text));
        return 1;
    }
    front_tell(f, "%s\n", text.s);
    return 1;
}
