/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The connection between the daemons, without a socket: stands in for src/proto/client.c and
 * server.c. A call becomes a fiber of hostd's program that runs the real body; requests and answers
 * take time, a connection breaks now and then (also after the body did its work), calls fail.
 * What is known of a program that was killed is dropped by link_cut.
 */

#include "simulation/random.h"

struct link_config {
    struct chance *chance;
    int64_t latency_us; /* of a message, at most, usually */
    unsigned slow;      /* of 1000 messages, how many take up to 2 s */
    unsigned lost;      /* of 10000 calls, after how many the connection breaks before the answer
                         */
    unsigned refused;   /* of 10000 calls, how many fail without having been tried */
};

void link_init(const struct link_config *c);
/* No more accidents: from here on everything gets through. */
void link_calm(void);
/* The connection breaks: calls under way fail for the caller. */
void link_cut(void);
/* One of the programs was killed. */
void link_host_killed(void);
void link_daemon_killed(void);
