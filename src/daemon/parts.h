/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of xenolithd in the order in which they start: a table of named steps. What started is
 * stopped in reverse, also when a later step fails.
 */

#include "daemon/options.h"
#include "task/daemon.h"

struct chores;
struct static_files;
struct tls;

struct parts {
    struct daemon d;
    const struct options *options;
    struct tls *tls;
    struct static_files *files;
    struct chores *chores;
    int lock_fd; /* <state>/run/xenolithd.lock: one daemon per state directory */
    unsigned started;
    bool reconciled;
};

_must_check_ struct error *parts_start(struct parts *p, const struct options *o);
void parts_stop(struct parts *p);
