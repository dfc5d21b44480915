/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificate by which clients know the host: what it is, a new one, one of the owner's. */
#include "api/certificate/certificate.h"
#include "base/io.h"
#include "base/world.h"
#include "gen/class/host_txn.h"
#include "gen/msg/host.h"
#include "rpc/call.h"
#include "value/json.h"
#include "wire/tls.h"

#include <unistd.h>

#define PEM_FILE "host.pem" /* tls_ensure_certificate made it: key and certificate */
#define PEM_MAX  (64u << 10)

const char *certificate_time(struct arena *a, int64_t t)
{
    _cleanup_str_ struct str text = STR_INIT;

    datetime_add(&text, t);
    return arena_strdup(a, str_cstr(&text));
}

void certificate_fill(struct certificate_rec *c, struct arena *a, const struct pem_look *look)
{
    c->not_before = look->not_before;
    c->not_after = look->not_after;
    c->fingerprint_sha256 = c->fingerprint = arena_strdup(a, look->sha256);
    c->fingerprint_sha1 = arena_strdup(a, look->sha1);
}

static const char *pem_path(const struct daemon *d, struct arena *a)
{
    return arena_printf(a, "%s/" PEM_FILE, d->state_dir);
}

struct error *certificate_of_host(struct daemon *d, struct txn *t, struct arena *a,
                                  const char *host)
{
    const struct certificate_rec *const *all;
    size_t n = txn_all_certificate(t, &all);
    _cleanup_str_ struct str pem = STR_INIT;
    struct certificate_rec *row = NULL;
    struct pem_look look;

    if (access(pem_path(d, a), F_OK) < 0)
        return NULL; /* it serves without TLS */
    TRY(io_read_file(pem_path(d, a), PEM_MAX, &pem));
    if (!pem_look(str_cstr(&pem), &look))
        return err_internal_error("the host has no certificate");
    for (size_t i = 0; i < n && !row; i++)
        if (all[i]->type == CERTIFICATE_TYPE_HOST && streq(all[i]->host, host)) {
            if (streq(all[i]->fingerprint_sha256, look.sha256))
                return NULL;
            TRY(txn_delete_certificate(t, all[i]->self)); /* another certificate, another object */
            break;
        }
    row = txn_new_certificate(t);
    row->type = CERTIFICATE_TYPE_HOST;
    row->host = host;
    certificate_fill(row, a, &look);
    return NULL;
}

/* The file is written: connections from now on get it. */
static struct error *use(struct call *c, const char *host)
{
    if (c->daemon->tls)
        TRY(tls_reload(c->daemon->tls, pem_path(c->daemon, c->arena)));
    return certificate_of_host(c->daemon, c->txn, c->arena, host);
}

static struct error *make_new(struct call *c, const char *ref)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, ref, &host));
    TRY(tls_make_certificate(pem_path(c->daemon, c->arena),
                             *host->hostname ? host->hostname : "localhost"));
    return use(c, host->self);
}

struct error *api_host_refresh_server_certificate(
    struct call *c, const struct host_refresh_server_certificate_args *a)
{
    return make_new(c, a->host);
}

struct error *api_host_reset_server_certificate(struct call *c,
                                                const struct host_reset_server_certificate_args *a)
{
    return make_new(c, a->host);
}

struct error *api_host_emergency_reset_server_certificate(
    struct call *c, const struct host_emergency_reset_server_certificate_args *a)
{
    return make_new(c, c->daemon->host_ref);
}

static struct error *check_given(struct call *c,
                                 const struct host_install_server_certificate_args *a)
{
    struct pem_look look = {0};
    char detail[64];

    switch (pem_check_server(a->certificate, a->private_key, a->certificate_chain, &look, detail)) {
    case PEM_NO_CERTIFICATE:
        return err_server_certificate_invalid();
    case PEM_WEAK_SIGNATURE:
        return err_server_certificate_signature_not_supported();
    case PEM_NO_KEY:
        return err_server_certificate_key_invalid();
    case PEM_KEY_KIND:
        return err_server_certificate_key_algorithm_not_supported(detail);
    case PEM_KEY_LENGTH:
        return err_server_certificate_key_rsa_length_not_supported(detail);
    case PEM_KEY_OF_OTHER:
        return err_server_certificate_key_mismatch();
    case PEM_BAD_CHAIN:
        return err_server_certificate_chain_invalid();
    case PEM_FINE:
        break;
    }
    const char *now = certificate_time(c->arena, now_s());

    if (look.not_after < now_s())
        return err_server_certificate_expired(now, certificate_time(c->arena, look.not_after));
    if (look.not_before > now_s())
        return err_server_certificate_not_valid_yet(now,
                                                    certificate_time(c->arena, look.not_before));
    return NULL;
}

struct error *api_host_install_server_certificate(
    struct call *c, const struct host_install_server_certificate_args *a)
{
    const struct host_rec *host;

    TRY(txn_host(c->txn, a->host, &host));
    TRY(check_given(c, a));
    const char *all =
        arena_printf(c->arena, "%s\n%s\n%s", a->private_key, a->certificate, a->certificate_chain);

    if (strlen(all) > PEM_MAX)
        return err_server_certificate_chain_invalid();
    TRY(io_write_file(pem_path(c->daemon, c->arena), all, strlen(all), 0600));
    return use(c, host->self);
}
