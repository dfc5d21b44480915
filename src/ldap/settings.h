/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How a directory server is asked, from the configuration that an administrator gave: what is
 * absent has a default, what is wrong is named by its key. Texts are borrowed from the JSON.
 */

#include "base/error.h"

#include <jansson.h>

struct settings {
    const char *uri;
    const char *base;
    const char *bind_dn; /* "" = nobody, as most servers let anyone look */
    const char *bind_password;
    const char *user_filter; /* %s = the name */
    const char *user_name;   /* attribute with the name of a person */
    const char *group_filter;
    const char *member; /* attribute of a group */
    const char *ca;     /* PEM, "" = none */
    bool start_tls;
    bool tls; /* from the first byte */
};

/* AUTH_ENABLE_FAILED [text], NO_TRUSTED_CERTS [text]. */
_must_check_ struct error *settings_read(const json_t *config, struct settings *ret);
/* Members of groups are said by name (memberUid, RFC 2307), else by distinguished name. */
bool settings_members_are_names(const struct settings *s);
