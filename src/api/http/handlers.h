/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HTTP handlers that are not RPC: disks in and out, consoles. Each authenticates the request
 * (session in query or cookie, basic authentication, local socket), checks the role, drives a task,
 * and hands the connection to a transfer thread. An action of the schema that nobody has written
 * yet does the same and then answers 501 and NOT_IMPLEMENTED [request].
 */

#include "api/http/transfer.h"

#define HTTP_HANDLER_ROUTES HTTP_ACTION_MAX

/* Writes the routes and returns how many; own lives as long as they do. */
size_t http_handler_routes(struct daemon *d, struct transfer_route own[HTTP_HANDLER_ROUTES],
                           struct http_route *ret);
