/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ldap/server.h"

#include "base/io.h"
#include "base/mem.h"
#include "ldap/reason.h"

#include <errno.h>
#include <sys/mman.h>

#define SEARCH_S    5
#define MESSAGE_MAX (4u << 20)
#define WORDS_MAX   300

static void step(const char *what, const char *of)
{
    fprintf(stderr, "%s %s\n", what, of);
}

/* What the server or the library said of the last failure, "" = nothing: as much of it as people
 * read, and only what every terminal shows. The caller frees. */
static char *last_words(struct server *s)
{
    char *said = NULL;

    if (s->ld)
        ldap_get_option(s->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    char *words = xmemdup0(said ? said : "", strnlen(said ? said : "", WORDS_MAX));

    ldap_memfree(said);
    for (char *p = words; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    return words;
}

static struct error *failed(struct server *s, const char *kind, int r, const char *trying,
                            const char *of)
{
    _cleanup_free_ char *said = last_words(s);
    _cleanup_free_ char *text =
        xasprintf("%s %s: %s%s%s", trying, of, ldap_err2string(r), *said ? ": " : "", said);

    return error_api(kind, 1, text);
}

/* ---- reached and secured ---- */

/* The library reads a file; this one is in memory. */
static struct error *offer_ca(struct server *s)
{
    char path[64];

    s->ca_fd = memfd_create("ca", MFD_CLOEXEC);
    if (s->ca_fd < 0)
        return error_errno(errno, "cannot keep certificates in memory");
    TRY(io_write_all(s->ca_fd, s->settings->ca, strlen(s->settings->ca)));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", s->ca_fd);
    int r = ldap_set_option(s->ld, LDAP_OPT_X_TLS_CACERTFILE, path);

    return r == LDAP_OPT_SUCCESS ? NULL : failed(s, "INVALID_TRUSTED_CERTS", r, "reading", "ca");
}

static struct error *set_up_tls(struct server *s)
{
    const int demand = LDAP_OPT_X_TLS_DEMAND, oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;

    TRY(offer_ca(s));
    ldap_set_option(s->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    ldap_set_option(s->ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest);
    int r = ldap_set_option(s->ld, LDAP_OPT_X_TLS_NEWCTX, &client);

    return r == LDAP_OPT_SUCCESS ? NULL : failed(s, "INVALID_TRUSTED_CERTS", r, "reading", "ca");
}

/* Referrals are not followed: they would carry passwords to other servers. The library gets no
 * LDAP_OPT_NETWORK_TIMEOUT: with it a TLS handshake is tried over and over without waiting. Whoever
 * started this program ends it in time. */
static struct error *set_up(struct server *s)
{
    const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER;
    int r = ldap_initialize(&s->ld, s->settings->uri);

    if (r != LDAP_SUCCESS)
        return failed(s, "AUTH_ENABLE_FAILED", r, "reading", "uri");
    ldap_set_option(s->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(s->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(s->ld, LDAP_OPT_DEREF, &never);
    ldap_set_option(s->ld, LDAP_OPT_RESTART, LDAP_OPT_ON);
    return s->settings->tls || s->settings->start_tls ? set_up_tls(s) : NULL;
}

/* A server may not make us keep more than this of one answer. */
static void limit_messages(struct server *s)
{
    Sockbuf *sb = NULL;
    ber_len_t max = MESSAGE_MAX;

    if (ldap_get_option(s->ld, LDAP_OPT_SOCKBUF, &sb) == LDAP_OPT_SUCCESS && sb)
        ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &max);
}

/* The library has no words of its own for the usual reasons. */
static struct error *tls_failed(struct server *s, int r, const char *trying)
{
    struct error *e = failed(s, "TLS", r, trying, s->settings->uri);

    if (!strstr(e->params[0], "unknown error code"))
        return e;
    error_free(e);
    _cleanup_free_ char *text = xasprintf("%s %s: the server's certificate does not come from ca, "
                                          "is not valid now, or is for another name",
                                          trying, s->settings->uri);

    return error_api("TLS", 1, text);
}

static struct error *unreachable(struct server *s, int r)
{
    _cleanup_free_ char *why = reason_unreachable(s->settings->uri);
    _cleanup_free_ char *text =
        xasprintf("connecting to %s: %s", s->settings->uri, why ? why : ldap_err2string(r));

    return error_api("UNAVAILABLE", 1, text);
}

/* A handshake that failed leaves words behind, a server that is not there none. */
static struct error *connect_failed(struct server *s, int r)
{
    _cleanup_free_ char *said = last_words(s);

    return s->settings->tls && *said ? tls_failed(s, r, "connecting to") : unreachable(s, r);
}

static struct error *reach(struct server *s)
{
    step("connecting to", s->settings->uri);
    int r = ldap_connect(s->ld);

    if (r != LDAP_SUCCESS)
        return connect_failed(s, r);
    limit_messages(s);
    if (!s->settings->start_tls)
        return NULL;
    step("starting TLS with", s->settings->uri);
    r = ldap_start_tls_s(s->ld, NULL, NULL);
    return r == LDAP_SUCCESS ? NULL : tls_failed(s, r, "starting TLS with");
}

void server_close(struct server *s)
{
    if (s->ld)
        ldap_unbind_ext_s(s->ld, NULL, NULL);
    s->ld = NULL;
    cleanup_close(&s->ca_fd);
}

/* ---- logged in ---- */

static int bind_simple(struct server *s, const char *dn, const char *password)
{
    struct berval cred = {.bv_len = strlen(password)};

    cred.bv_val = xstrdup(password);
    int r = ldap_sasl_bind_s(s->ld, dn, LDAP_SASL_SIMPLE, &cred, NULL, NULL, NULL);

    explicit_bzero(cred.bv_val, cred.bv_len);
    free(cred.bv_val);
    return r;
}

static struct error *bind_self(struct server *s)
{
    const char *dn = s->settings->bind_dn;

    if (!*dn)
        return NULL; /* nobody */
    step("logging in as", dn);
    int r = bind_simple(s, dn, s->settings->bind_password);

    if (r == LDAP_SUCCESS)
        return NULL;
    return failed(s,
                  r == LDAP_INVALID_CREDENTIALS ? "WRONG_CREDENTIALS"
                  : r < 0                       ? "UNAVAILABLE"
                                                : "PERMISSION_DENIED",
                  r, "logging in as bind_dn", dn);
}

struct error *server_open(const struct settings *settings, struct server *s)
{
    *s = (struct server){.settings = settings, .ca_fd = -1};
    TRY(set_up(s));
    TRY(reach(s));
    return bind_self(s);
}

/* A bind with an empty password is a login of nobody, which servers grant (RFC 4513, 5.1.2). */
struct error *server_bind_as(struct server *s, const char *dn, const char *password, bool *ret_ok)
{
    *ret_ok = false;
    if (!*dn || !*password)
        return NULL;
    step("logging in as", dn);
    int r = bind_simple(s, dn, password);

    if (r < 0 || r == LDAP_BUSY || r == LDAP_UNAVAILABLE)
        return failed(s, "UNAVAILABLE", r, "logging in as", dn);
    *ret_ok = r == LDAP_SUCCESS;
    return NULL;
}

/* ---- looked for ---- */

static struct error *search_failed(struct server *s, const struct search *what, int r)
{
    if (r == LDAP_FILTER_ERROR)
        return failed(s, "AUTH_ENABLE_FAILED", r, "searching with", what->key);
    return failed(s, r == LDAP_INSUFFICIENT_ACCESS ? "PERMISSION_DENIED" : "UNAVAILABLE", r,
                  "searching", what->base);
}

struct error *server_search(struct server *s, const struct search *what, LDAPMessage **ret)
{
    struct timeval limit = {.tv_sec = SEARCH_S};
    char *attributes[8];
    size_t n = 0;

    for (; what->attributes[n] && n + 1 < ARRAY_SIZE(attributes); n++)
        attributes[n] = xstrdup(what->attributes[n]);
    attributes[n] = NULL;
    *ret = NULL;
    step("searching", what->base);
    int r = ldap_search_ext_s(s->ld, what->base, what->scope, what->filter, attributes, 0, NULL,
                              NULL, &limit, what->max, ret);

    while (n)
        free(attributes[--n]);
    if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED)
        return NULL;
    ldap_msgfree(TAKE_PTR(*ret));
    return r == LDAP_NO_SUCH_OBJECT ? NULL : search_failed(s, what, r);
}
