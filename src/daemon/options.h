/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Command line of xenolithd. Strings point into argv. */

#include "base/error.h"

#include <stdint.h>

struct options {
    const char *state_dir;
    const char *http; /* "ADDRESS:PORT", "off" */
    const char *tls;
    const char *web_dir; /* NULL = no pages */
    const char *hostd;   /* socket of xenolith-hostd, NULL = <state>/run/hostd */
    const char *user;    /* to become when started as root, NULL = stay */
    int64_t login_delay_us;
    int64_t directory_check_us; /* 0 = never */
    bool debug;
};

/* Prints help or version and exits for those; INVALID options give an error that says what to do.
 */
_must_check_ struct error *options_parse(int argc, char **argv, struct options *ret);
/* "127.0.0.1:8080", "[::1]:443", ":80" (every address). */
_must_check_ struct error *options_address(const char *text, char **ret_address,
                                           uint16_t *ret_port);
