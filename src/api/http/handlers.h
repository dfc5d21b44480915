/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HTTP handlers that are not RPC: disks in and out, consoles. Each authenticates the request
 * (session in query or cookie, basic authentication, local socket), checks the role, drives a task,
 * and hands the connection to a transfer thread.
 */

#include "task/daemon.h"
#include "wire/server.h"

#define HTTP_HANDLER_ROUTES 16

/* Writes the routes and returns how many. */
size_t http_handler_routes(struct daemon *d, struct http_route *ret);
/* Ends the transfers under way; before their threads are waited for. */
void http_handlers_stop(void);
