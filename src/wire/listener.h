/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between server.c and listener.c. */

struct server;

/* On the first poller's thread, or without threads. */
void listeners_close(struct server *s);
