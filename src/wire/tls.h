/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TLS for the server: TLS 1.2 and newer, ALPN http/1.1, one certificate. Only the files tls.c and
 * transport.c know the library.
 *
 * Threads: any; a reload takes effect for new connections.
 */

#include "base/error.h"

struct tls;

/* Reads a PEM file holding key and certificate chain. */
_must_check_ struct error *tls_new(const char *pem_path, struct tls **ret);
void tls_free(struct tls *t);
/* Replaces the certificate; on failure the old one stays. */
_must_check_ struct error *tls_reload(struct tls *t, const char *pem_path);

/*
 * Makes a P-256 key and a self-signed certificate for `host_name` (common name and alternative
 * name; an address is recognized) valid for ten years, and stores both as one PEM file (mode 600,
 * replaced whole).
 */
_must_check_ struct error *tls_make_certificate(const char *pem_path, const char *host_name);
/* The same at first start: <dir>/host.pem is made if absent, for "localhost" where the machine has
 * no name that a certificate can have ("(none)"). The caller frees *ret_path. */
_must_check_ struct error *tls_ensure_certificate(const char *dir, const char *host_name,
                                                  char **ret_path);
/* SHA-256 of the first certificate in a PEM file, upper-case hexadecimal pairs joined by ':'. */
_must_check_ struct error *tls_fingerprint(const char *pem_path, char **ret);

static inline void cleanup_tls(struct tls **t)
{
    if (*t)
        tls_free(*t);
}

#define _cleanup_tls_ _cleanup_(cleanup_tls)
