/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a command does at the user's end: print, read files, ask, move files, show a console. One
 * contract with two drivers: the terminal and the files of this process (terminal.h), and a thin
 * client at the other end of a connection (thin.h). Commands know no other way to a user.
 *
 * Names of files are as the user gave them. One thread. Failures are for the user: their text is
 * what is told.
 */

#include "base/error.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct client;
struct front;
struct transfer;

/* Where a transfer leads: with session and task in its query. */
struct front_place {
    const char *host; /* "address" or "address:port"; NULL = the server that is asked anyway */
    const char *path; /* "/export?session_id=..." */
    const char *task; /* its reference, for how far it is */
};

/* How far a transfer got. */
struct front_moved {
    int status; /* the server's; 200 and 206 = it began to move, 0 = it failed at the user's end */
    int64_t done; /* bytes from the start of the file that went over; 0 = unknown */
};

struct front_ops {
    /* Standard output, as it stands; whole lines. */
    struct error *(*print)(struct front *f, const char *text, size_t n);
    /* Standard error, at once. */
    void (*tell)(struct front *f, const char *text);
    struct error *(*read_file)(struct front *f, const char *name, size_t max, struct str *ret);
    /* A line of the input without its end; "" when there is none. */
    struct error *(*read_line)(struct front *f, struct str *ret);
    /* Moves the file of t, all of it unless this fails; the user's end may have said why. */
    struct error *(*move)(struct front *f, struct client *c, const struct transfer *t,
                          const struct front_place *p, struct front_moved *ret);
    /* The download moved last has failed after all: nothing is to look like it. */
    void (*discard)(struct front *f);
    /* Shows a console until the user leaves it. */
    struct error *(*console)(struct front *f, struct client *c, const struct front_place *p);
};

struct front {
    const struct front_ops *ops;
    bool is_person; /* somebody reads along: hints are welcome */
    bool colours;   /* of the output */
    bool resumes;   /* it can go on with a file at any byte */
};

void front_tell(struct front *f, const char *fmt, ...) _printf_(2, 3);
/* Says it, and ends the command with exit code 1. */
_malloc_ struct error *front_fail(struct front *f, const char *fmt, ...) _printf_(2, 3);
