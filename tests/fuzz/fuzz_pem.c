/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates, keys and revocation lists of clients: what is said of a text does not depend on how
 * it is asked. The input is a certificate, a key and a chain, with a NUL between them.
 */
#include "base/arena.h"
#include "fuzz/fuzz.h"
#include "wire/pem.h"

#include <assert.h>

/* The next part of the input, "" at its end. */
static const char *next_part(struct arena *a, const uint8_t **p, const uint8_t *end)
{
    const uint8_t *stop = memchr(*p, 0, (size_t)(end - *p));
    size_t n = (size_t)((stop ? stop : end) - *p);
    const char *text = arena_memdup0(a, (const char *)*p, n);

    *p += n + !!stop;
    return text;
}

static void check_look(const struct pem_look *look)
{
    assert(strlen(look->sha1) == sizeof(look->sha1) - 1);
    assert(strlen(look->sha256) == sizeof(look->sha256) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    const uint8_t *end = data + size;
    const char *certificate = next_part(&a, &data, end);
    const char *key = next_part(&a, &data, end), *chain = next_part(&a, &data, end);
    struct pem_look look, of_server = {0};
    char detail[64] = "";
    bool found = pem_look(certificate, &look);
    enum pem_problem problem = pem_check_server(certificate, key, chain, &of_server, detail);

    assert(strnlen(detail, sizeof(detail)) < sizeof(detail));
    assert(found || problem != PEM_FINE);
    if (found)
        check_look(&look);
    if (problem == PEM_FINE)
        assert(!strcmp(look.sha256, of_server.sha256) && look.not_after == of_server.not_after);
    (void)pem_is_crl(certificate);
    return 0;
}
