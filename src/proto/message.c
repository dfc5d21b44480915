/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/message.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>

static void open_message(struct str *out, uint64_t id)
{
    str_lit(out, "{\"id\":");
    str_add_int(out, (long long)id);
}

void message_add_call(struct str *out, uint64_t id, const struct host_call_info *call,
                      const void *args)
{
    open_message(out, id);
    str_lit(out, ",\"call\":");
    json_add_string(out, call->name);
    str_lit(out, ",\"args\":");
    json_add_record(out, call->args, args, 0, 0);
    str_lit(out, "}");
}

void message_add_result(struct str *out, uint64_t id, const struct host_call_info *call,
                        const void *result)
{
    open_message(out, id);
    str_lit(out, ",\"result\":");
    json_add_record(out, call->result, result, 0, 0);
    str_lit(out, "}");
}

/* Texts of errors may quote anything, a guest's bytes too: only what JSON can carry goes on. */
static void add_text(struct str *out, const char *s)
{
    _cleanup_free_ char *clean = xstrdup(s);

    utf8_clean(clean);
    json_add_string(out, clean);
}

void message_add_error(struct str *out, uint64_t id, const struct error *e)
{
    open_message(out, id);
    str_lit(out, ",\"error\":{");
    if (e->code) {
        str_lit(out, "\"code\":");
        add_text(out, e->code);
        str_lit(out, ",\"params\":[");
        for (int i = 0; i < e->n_params; i++) {
            if (i)
                str_lit(out, ",");
            add_text(out, e->params[i]);
        }
        str_lit(out, "]");
    } else {
        str_lit(out, "\"errno\":");
        str_add_int(out, e->errnum);
    }
    str_lit(out, ",\"detail\":");
    add_text(out, e->detail);
    str_lit(out, "}}");
}

void message_add_event(struct str *out, const struct host_event_rec *event)
{
    str_lit(out, "{\"event\":");
    json_add_record(out, &host_event_rec_info, event, 0, 0);
    str_lit(out, "}");
}

struct error *message_error(const json_t *error)
{
    const char *detail = json_string_value(json_object_get(error, "detail"));

    if (!detail)
        return error_errno(EPROTO, "hostd sent an answer that is none");
    struct error *e = error_from_json(error);

    return e ? error_detail(e, "%s", detail)
             : error_errno((int)json_integer_value(json_object_get(error, "errno")), "%s", detail);
}

struct error *message_record(struct arena *a, const struct struct_info *si, const json_t *j,
                             void *ret)
{
    memcpy(ret, si->defaults, si->size);
    for (int i = 0; i < si->n; i++) {
        if (si->fields[i].flags & FIELD_REQUIRED && !json_object_get(j, si->fields[i].name))
            return error_api("FIELD_TYPE_ERROR", 1, si->fields[i].name);
    }
    return record_from_json(a, si, j, ret, NULL);
}

struct error *message_call(struct arena *a, const json_t *j, int *ret_call, void **ret_args)
{
    const char *name = json_string_value(json_object_get(j, "call"));
    int id = name ? message_find_call(name) : -1;

    if (id < 0)
        return error_errno(ENOSYS, "no call is called %s", name ? name : "nothing");
    const struct struct_info *args = host_calls[id].args;

    *ret_call = id;
    *ret_args = arena_zalloc(a, args->size);
    return message_record(a, args, json_object_get(j, "args"), *ret_args);
}

int message_find_call(const char *name)
{
    for (int i = 0; i < HOST_CALL_MAX; i++) {
        if (streq(host_calls[i].name, name))
            return i;
    }
    return -1;
}
