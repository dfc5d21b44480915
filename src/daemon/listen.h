/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The listening sockets, which outlive the program: they come from the program that hands over, or
 * from systemd, or are opened here. So a connect is never refused while programs change.
 *
 * The descriptors belong to the struct. One thread.
 *
 * Source: sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, descriptors from 3 on.
 */

#include "base/error.h"

enum listen_name { LISTEN_XAPI, LISTEN_HTTP, LISTEN_TLS, LISTEN_MAX };

struct listen_fds {
    int fd[LISTEN_MAX]; /* -1 = none */
};

extern const char *const listen_names[LISTEN_MAX]; /* "xapi", "http", "tls" */

void listen_fds_init(struct listen_fds *l);
void listen_fds_fini(struct listen_fds *l);
/* -1 = no such name. */
int listen_find(const char *name);
/* What systemd passed to this process, once; what has no known name is closed. */
void listen_fds_activated(struct listen_fds *l);
