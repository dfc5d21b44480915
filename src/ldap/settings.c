/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ldap/settings.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <ldap.h>

static struct error *wrong(const char *key, const char *what)
{
    _cleanup_free_ char *text = xasprintf("%s %s", key, what);

    return error_api("AUTH_ENABLE_FAILED", 1, text);
}

static const char *get(const json_t *config, const char *key, const char *absent)
{
    const char *v = json_string_value(json_object_get(config, key));

    return v ? v : absent;
}

/* ---- where ---- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return !strcasecmp(host, "localhost") || streq(host, "::1");
}

/* A server and nothing else: what to look for stands under other keys. */
static struct error *look_at_url(const LDAPURLDesc *url, bool *ret_local)
{
    const char *host = url->lud_host ? url->lud_host : "";
    bool ldapi = streq(url->lud_scheme, "ldapi");

    if (url->lud_next || (url->lud_dn && *url->lud_dn) || url->lud_attrs || url->lud_filter ||
        url->lud_exts)
        return wrong("uri", "names more than one server");
    if (!*host)
        return wrong("uri", "names no server");
    *ret_local = ldapi || is_loopback(host);
    return NULL;
}

/* A password in the clear goes no further than this machine, unless somebody wants it so. */
static struct error *read_security(const json_t *config, bool local, struct settings *s)
{
    const char *insecure = get(config, "insecure", "");

    if (*insecure && strcasecmp(insecure, "true") && strcasecmp(insecure, "false"))
        return wrong("insecure", "is neither true nor false");
    s->tls = str_starts(s->uri, "ldaps:");
    if (s->tls && !strcasecmp(insecure, "true"))
        return wrong("insecure", "does not go with ldaps://");
    s->start_tls =
        str_starts(s->uri, "ldap:") && (*insecure ? !strcasecmp(insecure, "false") : !local);
    if ((s->tls || s->start_tls) && !*s->ca)
        return error_api("NO_TRUSTED_CERTS", 1,
                         "ca is missing, and the pool has no CA certificate installed");
    return NULL;
}

static struct error *read_uri(const json_t *config, struct settings *s)
{
    LDAPURLDesc *url = NULL;
    bool local = false;

    s->uri = get(config, "uri", "");
    if (!*s->uri)
        return wrong("uri", "is missing");
    if (!str_starts(s->uri, "ldap://") && !str_starts(s->uri, "ldaps://") &&
        !str_starts(s->uri, "ldapi://"))
        return wrong("uri", "does not begin with ldaps://, ldap:// or ldapi://");
    if (ldap_url_parse(s->uri, &url) != LDAP_URL_SUCCESS)
        return wrong("uri", "cannot be read");
    struct error *e = look_at_url(url, &local);

    ldap_free_urldesc(url);
    return e ? e : read_security(config, local, s);
}

/* ---- who and what ---- */

static struct error *check_dn(const char *key, const char *dn)
{
    LDAPDN parsed = NULL;
    int r = ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3);

    ldap_dnfree(parsed);
    return r == LDAP_SUCCESS ? NULL : wrong(key, "is no distinguished name");
}

/* RFC 4512: a name or a number in dots, perhaps with options. */
static struct error *check_attribute(const char *key, const char *name)
{
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-;.";

    if (!*name || strlen(name) > 100 || strspn(name, all) != strlen(name))
        return wrong(key, "is no name of an attribute");
    return NULL;
}

/* Whether it is one in all its parts only the server's answer to it can say. */
static struct error *check_filter(const char *key, const char *filter, bool has_name)
{
    bool found = false;

    if (*filter != '(' || !str_ends(filter, ")"))
        return wrong(key, "does not stand in parentheses");
    for (const char *p = strchr(filter, '%'); p; p = strchr(p + 1, '%')) {
        if (!has_name || p[1] != 's')
            return wrong(key, has_name ? "has a % without s" : "has a %");
        found = true;
    }
    return found == has_name ? NULL : wrong(key, "has no %s, where the name belongs");
}

struct error *settings_read(const json_t *config, struct settings *ret)
{
    struct settings s = {
        .base = get(config, "base", ""),
        .bind_dn = get(config, "bind_dn", ""),
        .bind_password = get(config, "bind_password", ""),
        .user_filter = get(config, "user_filter", "(uid=%s)"),
        .user_name = get(config, "user_name", "uid"),
        .group_filter = get(config, "group_filter", "(objectClass=groupOfNames)"),
        .member = get(config, "member", "member"),
        .ca = get(config, "ca", ""),
    };

    TRY(read_uri(config, &s));
    if (!*s.base)
        return wrong("base", "is missing");
    TRY(check_dn("base", s.base));
    TRY(check_dn("bind_dn", s.bind_dn));
    if (!*s.bind_dn != !*s.bind_password)
        return wrong(*s.bind_dn ? "bind_password" : "bind_dn", "is missing");
    TRY(check_filter("user_filter", s.user_filter, true));
    TRY(check_filter("group_filter", s.group_filter, false));
    TRY(check_attribute("user_name", s.user_name));
    TRY(check_attribute("member", s.member));
    *ret = s;
    return NULL;
}

bool settings_members_are_names(const struct settings *s)
{
    return !strcasecmp(s->member, "memberUid");
}
