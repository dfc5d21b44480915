/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows of certificates: that of the host, and those the pool trusts. */

#include "gen/class/Certificate_txn.h"
#include "wire/pem.h"

struct daemon;

/* The row of a host's own certificate is made to say what lies in the file; host: reference. */
_must_check_ struct error *certificate_of_host(struct daemon *d, struct txn *t, struct arena *a,
                                               const char *host);
void certificate_fill(struct certificate_rec *c, struct arena *a, const struct pem_look *look);
/* "20240131T12:34:56Z", as errors name times. */
const char *certificate_time(struct arena *a, int64_t t);
