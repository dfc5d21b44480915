/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which server, as whom: from the command line, XE_EXTRA_ARGS and ~/.xe, in that order. What is not
 * for the connection is left over as arguments of the command.
 */

#include "base/error.h"
#include "base/vec.h"
#include "cli/known.h"

#include <stdint.h>

struct options {
    char *server;  /* NULL = this host */
    uint16_t port; /* 0 = the usual one */
    char *user;    /* never NULL */
    char *password;
    char *socket; /* of this host */
    bool socket_is_named;
    bool tls;
    struct known known;
    bool debug;
    char *traceparent;       /* the trace of which the calls are a part (W3C), NULL = none */
    char *baggage;           /* what goes along with it */
    bool only_channel;       /* the connection that is there is the only one to be had */
    struct VEC(char *) args; /* the command and its words */
    size_t n_typed;          /* of them, those of the command line; they come first */
    char *typed_options;     /* the others of the command line, as for a shell, each with a space in
                                front; a password is only hinted at */
};

enum options_wish {
    OPTIONS_RUN,
    OPTIONS_USAGE,   /* -help: usage on stderr, exit 0 */
    OPTIONS_VERSION, /* -version */
};

/* argv[0] is the program. On failure the text has been told: exit 1. */
_must_check_ struct error *options_read(int argc, char *const *argv, struct options *ret,
                                        enum options_wish *ret_wish);
void options_fini(struct options *o);
