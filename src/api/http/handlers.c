/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/handlers.h"

#include "gen/errors.h"

#include <assert.h>

static const struct transfer_kind *const written[] = {
    &transfer_export_raw_vdi,  &transfer_import_raw_vdi,  &transfer_get_blob,
    &transfer_put_blob,        &transfer_console,         &transfer_console_web,
    &transfer_export_metadata, &transfer_import_metadata, &transfer_get_database,
    &transfer_put_database,    &transfer_audit_log,       &transfer_system_status,
    &transfer_host_logs,       &transfer_host_backup,     &transfer_host_restore,
    &transfer_services,        &transfer_updates,         &transfer_cli,
};

static struct error *missing(struct transfer *t)
{
    const struct http_action *a = NULL;

    for (int i = 0; i < HTTP_ACTION_MAX; i++)
        if (streq(http_actions[i].name, t->realm))
            a = &http_actions[i];
    t->status = 501;
    return err_not_implemented(arena_printf(&t->arena, "%s %s", a->method, a->uri));
}

/* Calls and files have routes of their own; anybody may make those requests. */
static bool is_elsewhere(const struct http_action *a)
{
    return !a->rbac_checked;
}

static bool find_kind(enum http_action_id id, struct transfer_kind *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
        if (written[i]->action != id)
            continue;
        *ret = *written[i];
        return true;
    }
    *ret = (struct transfer_kind){.action = id, .run = missing, .has_task = true};
    return !is_elsewhere(&http_actions[id]);
}

static enum http_verb verb_of(const struct http_action *a)
{
    for (int v = 0; v < VERB_MAX; v++)
        if (streq(http_verb_name((enum http_verb)v), a->method))
            return (enum http_verb)v;
    return VERB_GET;
}

/* Paths are prefixes: clients add a slash. */
size_t http_handler_routes(struct daemon *d, struct transfer_route own[HTTP_HANDLER_ROUTES],
                           struct http_route *ret)
{
    size_t n = 0;

    for (int i = 0; i < HTTP_ACTION_MAX; i++) {
        if (!find_kind((enum http_action_id)i, &own[n].kind))
            continue;
        assert((own[n].kind.run != missing) ==
               http_actions[i].works); /* as schema/http.toml says */
        own[n].daemon = d;
        ret[n] = (struct http_route){.verb = verb_of(&http_actions[i]),
                                     .prefix = http_actions[i].uri,
                                     .flags = ROUTE_STREAM,
                                     .handler = transfer_handle,
                                     .ctx = &own[n]};
        n++;
    }
    return n;
}
