/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What xenolith-hostd is made of; every body of a host call finds it with host_call_ctx. */

#include <stddef.h>

struct hv;
struct host_server;
struct storage;

struct machine {
    const char *state_dir;
    struct storage *storage;
    struct hv *hv;
    struct host_server *server;
    const char *const *roots; /* where file and ISO SRs may lie */
    size_t n_roots;
};
