/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The connection to a directory server: reached, secured, somebody logged in, things looked for.
 * Each step is named on standard error before it is taken, so that whoever waits for this program
 * can say what it stood at.
 *
 * What cannot be done fails with the kind of the failure and a text: UNAVAILABLE, TLS,
 * INVALID_TRUSTED_CERTS, WRONG_CREDENTIALS, PERMISSION_DENIED, INVALID_OU (base), or
 * AUTH_ENABLE_FAILED for what the configuration has wrong.
 */

#include "ldap/settings.h"

#include <ldap.h>

struct server {
    const struct settings *settings;
    LDAP *ld;
    int ca_fd;
};

/* Connects, secures and logs in as bind_dn. *s can be given to server_close in any case. */
_must_check_ struct error *server_open(const struct settings *settings, struct server *s);
void server_close(struct server *s);
/* Logs in as somebody: *ret_ok says whether the server took the password, which is never empty. */
_must_check_ struct error *server_bind_as(struct server *s, const char *dn, const char *password,
                                          bool *ret_ok);
struct search {
    const char *base;
    int scope; /* LDAP_SCOPE_* */
    const char *filter;
    const char *key;               /* of the configuration, for what is wrong with the filter */
    const char *const *attributes; /* NULL at the end */
    int max;                       /* entries; there may be more */
};
/* *ret: what was found, NULL = nothing, also where there is no such base; ldap_msgfree. */
_must_check_ struct error *server_search(struct server *s, const struct search *what,
                                         LDAPMessage **ret);
