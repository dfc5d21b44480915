/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's own certificate: made at the first start, read for its fingerprint. */
#include "wire/tls.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "wire/tls_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define VALID_DAYS   3650
#define MAX_PEM      (1u << 20)
#define CN_MAX       64 /* ub-common-name of RFC 5280 */
#define SERIAL_BYTES 16

static void cleanup_key(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void cleanup_x509(X509 **p)
{
    X509_free(*p);
}

static void cleanup_bio(BIO **p)
{
    BIO_free_all(*p);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];

    world->random(bytes, sizeof(bytes));
    bytes[0] &= 0x7f; /* positive */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return ok;
}

/* Letters of a host name or address only: the text becomes part of an extension's syntax. */
static bool is_host_name(const char *s)
{
    return *s && strlen(s) < 254 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") ==
               strlen(s);
}

static bool fill_certificate(X509 *cert, EVP_PKEY *key, const char *host_name)
{
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, host_name, address) == 1 || inet_pton(AF_INET6, host_name, address) == 1;
    _cleanup_free_ char *names = xasprintf("%s:%s", is_address ? "IP" : "DNS", host_name);
    _cleanup_free_ char *common = xmemdup0(host_name, MIN(strlen(host_name), (size_t)CN_MAX));
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) && /* clocks differ */
           X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(cert, NID_subject_alt_name, names) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

struct error *tls_make_certificate(const char *pem_path, const char *host_name)
{
    if (!is_host_name(host_name))
        return error_errno(EINVAL, "no host name for a certificate: %s", host_name);
    _cleanup_(cleanup_key) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(cleanup_x509) X509 *cert = X509_new();
    _cleanup_(cleanup_bio) BIO *out = BIO_new(BIO_s_mem());

    if (!key || !cert || !out || !fill_certificate(cert, key, host_name) ||
        PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(out, cert) != 1)
        return tls_error("cannot make a certificate");
    char *text;
    long len = BIO_get_mem_data(out, &text);

    return io_write_file(pem_path, text, (size_t)len, 0600);
}

struct error *tls_ensure_certificate(const char *dir, const char *host_name, char **ret_path)
{
    _cleanup_free_ char *path = xasprintf("%s/host.pem", dir);

    if (access(path, F_OK) < 0) {
        if (errno != ENOENT)
            return error_errno(errno, "cannot read %s", path);
        TRY(io_mkdir_p(dir, 0700));
        TRY(tls_make_certificate(path, is_host_name(host_name) ? host_name : "localhost"));
    }
    *ret_path = TAKE_PTR(path);
    return NULL;
}

struct error *tls_fingerprint(const char *pem_path, char **ret)
{
    _cleanup_str_ struct str pem = STR_INIT;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;

    TRY(io_read_file(pem_path, MAX_PEM, &pem));
    _cleanup_(cleanup_bio) BIO *in = BIO_new_mem_buf(str_cstr(&pem), (int)pem.len);
    _cleanup_(cleanup_x509) X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

    if (!cert || X509_digest(cert, EVP_sha256(), digest, &len) != 1)
        return tls_error("no certificate in %s", pem_path);
    struct str text = STR_INIT;

    for (unsigned i = 0; i < len; i++)
        str_printf(&text, "%s%02X", i ? ":" : "", digest[i]);
    *ret = str_take(&text);
    return NULL;
}
