/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between tls.c and transport.c: one connection's state made from the server's TLS settings. */

#include "wire/tls.h"

struct ssl_st;

_must_check_ struct error *tls_start(struct tls *t, int fd, struct ssl_st **ret);
/* The error on top of the library's queue, which is emptied. */
struct error *tls_error(const char *fmt, ...) _printf_(1, 2);
