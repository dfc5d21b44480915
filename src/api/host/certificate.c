/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificate that clients see. */
#include "base/io.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"

#define PEM_FILE  "host.pem" /* tls_ensure_certificate made it: key and certificate */
#define PEM_MAX   (64u << 10)
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----\n"

/* Without the key, which stands in the same file. */
static const char *first_certificate(struct arena *a, const char *pem)
{
    const char *from = strstr(pem, PEM_BEGIN);
    const char *to = from ? strstr(from, PEM_END) : NULL;

    return to ? arena_memdup0(a, from, (size_t)(to - from) + strlen(PEM_END)) : NULL;
}

struct error *api_host_get_server_certificate(struct call *c,
                                              const struct host_get_server_certificate_args *a,
                                              const char **ret)
{
    _cleanup_str_ struct str pem = STR_INIT;
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(io_read_file(arena_printf(c->arena, "%s/" PEM_FILE, c->daemon->state_dir), PEM_MAX, &pem));
    const char *certificate = first_certificate(c->arena, str_cstr(&pem));

    if (!certificate)
        return err_internal_error("the host has no certificate");
    *ret = certificate;
    return NULL;
}
