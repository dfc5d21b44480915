/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands on pools that are more than one call. */
#include "cli/commands.h"
#include "gen/errors.h"

/* Members that come or go restart; how long that takes to begin is told in these words. */
#define FUSE "10."

struct error *pool_join(struct xe *x)
{
    static const char *const refused[] = {
        "Host cannot contact destination host: connection refused.",
        "Check destination host has services running and accessible from this host."};
    bool force;

    TRY(words_bool(&x->words, "force", false, &force));
    struct error *e = call(&x->client, NULL, force ? "pool.join_force" : "pool.join", "sss",
                           word_or(x, "master-address", ""), word_or(x, "master-username", ""),
                           word_or(x, "master-password", ""));

    if (e && error_is(e, ERR_JOINING_HOST_CONNECTION_FAILED)) {
        error_free(e);
        print_lines(&x->printer, refused, ARRAY_SIZE(refused));
        return NULL;
    }
    TRY(e);
    print_line(&x->printer,
               "Host agent will restart and attempt to join pool in " FUSE " seconds...");
    return NULL;
}

/* Disks of an SR that no other host can reach. */
static struct error *show_local_disks(struct xe *x, const char *host, const char *pbd, bool *told)
{
    _cleanup_free_ char *sr = NULL;
    _cleanup_json_ json_t *pbds = NULL, *vdis = NULL;
    const json_t *ref;
    size_t i;

    TRY(call_string(&x->client, &sr, "PBD.get_SR", "s", pbd));
    TRY(call(&x->client, &pbds, "SR.get_PBDs", "s", sr));
    json_array_foreach (pbds, i, ref) {
        _cleanup_free_ char *other = NULL;

        TRY(call_string(&x->client, &other, "PBD.get_host", "s", json_string_value(ref)));
        if (!streq(other, host))
            return NULL;
    }
    TRY(call(&x->client, &vdis, "SR.get_VDIs", "s", sr));
    json_array_foreach (vdis, i, ref) {
        _cleanup_json_ json_t *vdi = NULL;

        TRY(call(&x->client, &vdi, "VDI.get_record", "s", json_string_value(ref)));
        if (!*told)
            print_now(&x->printer, "The following VDI objects will be destroyed:");
        *told = true;
        print_now(&x->printer, "VDI: %s (%s)", text_of(vdi, "uuid"), text_of(vdi, "name_label"));
    }
    return NULL;
}

static struct error *warn_of_ejection(struct xe *x, const char *host, bool *ret_yes)
{
    _cleanup_json_ json_t *pbds = NULL;
    const json_t *ref;
    bool told = false;
    size_t i;

    print_now(&x->printer,
              "WARNING: Ejecting a host from the pool will reinitialise that host's local SRs.");
    print_now(&x->printer, "WARNING: Any data contained with the local SRs will be lost.");
    TRY(call(&x->client, &pbds, "host.get_PBDs", "s", host));
    json_array_foreach (pbds, i, ref)
        IGNORE_ERROR(show_local_disks(x, host, json_string_value(ref), &told));
    return ask(x, ret_yes);
}

struct error *pool_eject(struct xe *x)
{
    _cleanup_free_ char *host = NULL;
    bool yes;

    TRY(word_ref(x, "host-uuid", "host", &host));
    TRY(words_bool(&x->words, "force", false, &yes));
    if (!yes)
        TRY(warn_of_ejection(x, host, &yes));
    if (!yes)
        return NULL;
    TRY(call(&x->client, NULL, "pool.eject", "s", host));
    print_line(&x->printer,
               "Specified host will attempt to restart as a master of a new pool in " FUSE
               " seconds...");
    return NULL;
}

struct error *pool_emergency_reset_master(struct xe *x)
{
    const char *address = word_or(x, "master-address", "");
    _cleanup_free_ char *line =
        xasprintf("Host agent will restart and become slave of %s in " FUSE " seconds...", address);

    TRY(call(&x->client, NULL, "pool.emergency_reset_master", "s", address));
    print_line(&x->printer, line);
    return NULL;
}

struct error *pool_emergency_transition_to_master(struct xe *x)
{
    TRY(call(&x->client, NULL, "pool.emergency_transition_to_master", ""));
    print_line(&x->printer,
               "Host agent will restart and transition to master in " FUSE " seconds...");
    return NULL;
}

struct error *pool_recover_slaves(struct xe *x)
{
    _cleanup_json_ json_t *hosts = NULL;
    const json_t *host;
    size_t i;

    TRY(call(&x->client, &hosts, "pool.recover_slaves", ""));
    json_array_foreach (hosts, i, host)
        TRY(print_uuid(x, "host", json_string_value(host)));
    return NULL;
}

struct error *pool_get_cpu_features(struct xe *x)
{
    static const char *const keys[] = {"features_pv_host", "features_hvm_host"};
    _cleanup_(record_fini) struct record r = {0};
    _cleanup_json_ json_t *info = NULL;
    _cleanup_free_ char *pool = NULL;

    TRY(the_pool(&x->client, &pool));
    TRY(call(&x->client, &info, "pool.get_cpu_info", "s", pool));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (json_object_get(info, keys[i]))
            record_add(&r, keys[i], text_of(info, keys[i]));
    print_one(&x->printer, &r);
    return NULL;
}

struct error *pool_apply_edition(struct xe *x)
{
    _cleanup_free_ char *pool = NULL;

    TRY(the_pool(&x->client, &pool));
    return call(&x->client, NULL, "pool.apply_edition", "ss", pool, word_or(x, "edition", ""));
}

/* Certificates come from files; their name is the file's. */

static struct error *certificate(struct xe *x, const char *what, struct str *ret)
{
    struct error *e = read_user_file(x, word_or(x, "filename", ""), ret);

    if (!e)
        return NULL;
    error_free(e);
    return front_fail(x->client.front, "Failed to read %s", what);
}

static struct error *install(struct xe *x, const char *message, const char *what)
{
    const char *path = word_or(x, "filename", ""), *slash = strrchr(path, '/');
    _cleanup_str_ struct str text = STR_INIT;

    TRY(certificate(x, what, &text));
    return call(&x->client, NULL, message, "ss", slash ? slash + 1 : path, str_cstr(&text));
}

struct error *pool_certificate_install(struct xe *x)
{
    return install(x, "pool.certificate_install", "certificate");
}

struct error *pool_install_ca_certificate(struct xe *x)
{
    return install(x, "pool.install_ca_certificate", "certificate");
}

struct error *pool_crl_install(struct xe *x)
{
    return install(x, "pool.crl_install", "CRL");
}

struct error *pool_install_trusted_certificate(struct xe *x)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_free_ char *pool = NULL;
    bool ca;

    TRY(words_bool(&x->words, "ca", true, &ca));
    TRY(the_pool(&x->client, &pool));
    TRY(certificate(x, "certificate", &text));
    return call(&x->client, NULL, "pool.install_trusted_certificate", "sbso", pool, (int)ca,
                str_cstr(&text), word_list(x, "purpose"));
}
