/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which route serves a request: the longest prefix of the path among the routes of the method.
 * Prefixes are of characters, not of path segments: POST / serves every POST that nothing else
 * does, as clients expect. Immutable once made; any thread.
 */

#include "wire/server.h"

struct router;

struct router *router_new(const struct http_route *routes, size_t n);
void router_free(struct router *r);
/* NULL: refuse with *ret_status, 501 for a method without routes, else 403. */
const struct http_route *router_find(const struct router *r, enum http_verb verb, const char *path,
                                     int *ret_status);
