/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/http/handlers.h"

/* Paths are prefixes: clients add a slash. */
static const struct {
    enum http_verb verb;
    const char *prefix;
    const struct transfer_kind *kind;
} table[] = {
    {VERB_GET, "/export_raw_vdi", &transfer_export_raw_vdi},
    {VERB_PUT, "/import_raw_vdi", &transfer_import_raw_vdi},
    {VERB_GET, "/blob", &transfer_get_blob},
    {VERB_PUT, "/blob", &transfer_put_blob},
    {VERB_CONNECT, "/console", &transfer_console},
    {VERB_GET, "/console", &transfer_console},
};

size_t http_handler_routes(struct daemon *d, struct transfer_route own[HTTP_HANDLER_ROUTES],
                           struct http_route *ret)
{
    _Static_assert(ARRAY_SIZE(table) <= HTTP_HANDLER_ROUTES, "more handlers than routes");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        own[i] = (struct transfer_route){.daemon = d, .kind = table[i].kind};
        ret[i] = (struct http_route){.verb = table[i].verb,
                                     .prefix = table[i].prefix,
                                     .flags = ROUTE_STREAM,
                                     .handler = transfer_handle,
                                     .ctx = &own[i]};
    }
    return ARRAY_SIZE(table);
}
