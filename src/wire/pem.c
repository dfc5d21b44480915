/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/pem.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define CHAIN_MAX    16

static void cleanup_bio(BIO **p)
{
    BIO_free_all(*p);
}

static void cleanup_x509(X509 **p)
{
    X509_free(*p);
}

static void cleanup_crl(X509_CRL **p)
{
    X509_CRL_free(*p);
}

static void cleanup_key(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

/* Keys with a password cannot be asked for one. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    return 0;
}

static X509 *read_certificate(const char *text)
{
    _cleanup_(cleanup_bio) BIO *in = BIO_new_mem_buf(text, -1);
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, no_password, NULL) : NULL;

    ERR_clear_error();
    return cert;
}

static bool fingerprint(const X509 *cert, const EVP_MD *kind, char *out, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;

    if (X509_digest(cert, kind, digest, &n) != 1 || n * 3 != size)
        return false;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 3 * i, 4, "%02X%s", digest[i], i + 1 < n ? ":" : "");
    return true;
}

static bool seconds(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret = timegm(&tm);
    return true;
}

static bool look(const X509 *cert, struct pem_look *ret)
{
    return fingerprint(cert, EVP_sha1(), ret->sha1, sizeof(ret->sha1)) &&
           fingerprint(cert, EVP_sha256(), ret->sha256, sizeof(ret->sha256)) &&
           seconds(X509_get0_notBefore(cert), &ret->not_before) &&
           seconds(X509_get0_notAfter(cert), &ret->not_after);
}

bool pem_look(const char *text, struct pem_look *ret)
{
    _cleanup_(cleanup_x509) X509 *cert = read_certificate(text);

    return cert && look(cert, ret);
}

bool pem_is_crl(const char *text)
{
    _cleanup_(cleanup_bio) BIO *in = BIO_new_mem_buf(text, -1);
    _cleanup_(cleanup_crl) X509_CRL *crl =
        in ? PEM_read_bio_X509_CRL(in, NULL, no_password, NULL) : NULL;

    ERR_clear_error();
    return crl != NULL;
}

static enum pem_problem check_key(const EVP_PKEY *key, char detail[64])
{
    int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

    if (kind == EVP_PKEY_EC)
        return PEM_FINE;
    if (kind != EVP_PKEY_RSA) {
        if (OBJ_obj2txt(detail, 64, OBJ_nid2obj(kind), 1) < 0)
            detail[0] = 0;
        return PEM_KEY_KIND;
    }
    snprintf(detail, 64, "%d", bits);
    return bits < RSA_BITS_MIN || bits > RSA_BITS_MAX ? PEM_KEY_LENGTH : PEM_FINE;
}

static bool is_chain(const char *text)
{
    _cleanup_(cleanup_bio) BIO *in = BIO_new_mem_buf(text, -1);

    for (int n = 0; in && n < CHAIN_MAX; n++) {
        _cleanup_(cleanup_x509) X509 *cert = PEM_read_bio_X509(in, NULL, no_password, NULL);

        if (!cert) {
            bool at_end = n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

            ERR_clear_error();
            return at_end;
        }
    }
    return false;
}

enum pem_problem pem_check_server(const char *certificate, const char *key_text, const char *chain,
                                  struct pem_look *ret, char ret_detail[64])
{
    _cleanup_(cleanup_x509) X509 *cert = read_certificate(certificate);
    int digest = NID_undef;

    ret_detail[0] = 0;
    if (!cert || !look(cert, ret))
        return PEM_NO_CERTIFICATE;
    X509_get_signature_info(cert, &digest, NULL, NULL, NULL);
    if (digest != NID_sha256 && digest != NID_sha512)
        return PEM_WEAK_SIGNATURE;
    _cleanup_(cleanup_bio) BIO *in = BIO_new_mem_buf(key_text, -1);
    _cleanup_(cleanup_key) EVP_PKEY *key =
        in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;

    ERR_clear_error();
    if (!key)
        return PEM_NO_KEY;
    enum pem_problem p = check_key(key, ret_detail);

    if (p)
        return p;
    int fits = X509_check_private_key(cert, key);

    ERR_clear_error();
    if (fits != 1)
        return PEM_KEY_OF_OTHER;
    return *chain && !is_chain(chain) ? PEM_BAD_CHAIN : PEM_FINE;
}
