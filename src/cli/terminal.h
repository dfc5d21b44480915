/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The user's end of a command that runs where the user is: standard input, output and error, the
 * files of this process, and HTTP for what is moved.
 */

#include "cli/front.h"

struct terminal {
    struct front front;
    char *made; /* the file downloaded last, NULL = none */
};

void terminal_init(struct terminal *t);
void terminal_fini(struct terminal *t);

/* terminal_files.c, terminal_console.c */
_must_check_ struct error *terminal_move(struct front *f, struct client *c,
                                         const struct transfer *t, const struct front_place *p,
                                         struct front_moved *ret);
_must_check_ struct error *terminal_console(struct front *f, struct client *c,
                                            const struct front_place *p);
