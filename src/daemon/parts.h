/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of xenolithd in the order in which they start: a table of named steps. What started is
 * stopped in reverse, also when a later step fails.
 */

#include "api/http/handlers.h"
#include "daemon/links.h"
#include "daemon/listen.h"
#include "daemon/options.h"
#include "task/daemon.h"

struct chores;
struct launcher;
struct static_files;
struct take_over;
struct ticker;
struct tls;
struct transfer_successor;

struct parts {
    struct daemon d;
    const struct options *options;
    struct launcher *launcher;
    struct tls *tls;
    struct static_files *files;
    struct transfer_route handlers[HTTP_HANDLER_ROUTES];
    struct chores *chores;
    struct ticker *reviewer; /* of people with sessions; NULL: nobody is reviewed */
    int lock_fd;             /* <state>/run/xenolithd.lock: one daemon per state directory */
    struct listen_fds listen;
    struct take_over *take_over; /* NULL: nobody handed over to us */
    struct links *links;         /* transfers of programs before us */
    struct link_list link_list;  /* the same, while nobody serves them */
    unsigned started;
    bool follows;                          /* what hostd tells of guests */
    bool reconciled;                       /* rows were compared with the host once */
    const struct transfer_successor *next; /* NULL, or: what clients have is kept for a program */
};

/* o and l are borrowed. */
_must_check_ struct error *parts_start(struct parts *p, const struct options *o,
                                       struct launcher *l);
void parts_stop(struct parts *p);

/* For hand_over.h, in this order: nothing changes the store any more and all calls are given back;
 * then the store is closed. parts_stop ends what is left. */
void parts_go_quiet(struct parts *p, const struct transfer_successor *next);
void parts_let_go(struct parts *p);
