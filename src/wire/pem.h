/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Looking at certificates, keys and revocation lists that clients send as PEM text. Pure; nothing
 * is trusted or used here.
 */

#include "base/cleanup.h"

#include <stdint.h>

struct pem_look {
    int64_t not_before, not_after; /* seconds since 1970 */
    char sha1[20 * 3];             /* upper-case hexadecimal pairs joined by ':' */
    char sha256[32 * 3];
};

/* The first certificate of the text. False: there is none. */
bool pem_look(const char *text, struct pem_look *ret);
bool pem_is_crl(const char *text);

enum pem_problem {
    PEM_FINE,
    PEM_NO_CERTIFICATE,
    PEM_WEAK_SIGNATURE, /* neither SHA-256 nor SHA-512 */
    PEM_NO_KEY,
    PEM_KEY_KIND,     /* neither RSA nor elliptic curve; detail: its OID */
    PEM_KEY_LENGTH,   /* RSA, but not of 2048 to 4096 bits; detail: the bits */
    PEM_KEY_OF_OTHER, /* not the certificate's */
    PEM_BAD_CHAIN,
};

/* A certificate, its private key and those who signed it ("" = nobody), for a server. *ret is only
 * set if there is a certificate. */
enum pem_problem pem_check_server(const char *certificate, const char *key, const char *chain,
                                  struct pem_look *ret, char ret_detail[64]);
