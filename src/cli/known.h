/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Certificates of servers, known from the first connection on: hosts sign their own, so nobody else
 * can vouch for them. A file of lines "host:port sha256".
 */

#include "base/error.h"

#include <stdint.h>

#define KNOWN_DIGEST 32

struct known {
    char *path; /* NULL = nothing is kept */
    bool renew; /* another certificate takes the place of the one known */
};

/* Remembers it the first time; fails if another one is known. A file that cannot be written keeps
 * nothing. */
_must_check_ struct error *known_check(const struct known *k, const char *host, uint16_t port,
                                       const unsigned char digest[KNOWN_DIGEST]);
