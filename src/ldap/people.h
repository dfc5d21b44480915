/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * People and groups as the directory has them. An account is a JSON object with the members of
 * `account` in schema/host/host.toml; the caller owns it.
 *
 * Who somebody is for good is entryUUID (RFC 4530), where the server has it: names and places of
 * entries change hands.
 */

#include "ldap/server.h"

/* The configuration finds what it names: base, and filters that the server understands. */
_must_check_ struct error *people_check(struct server *s);
/* SESSION_AUTHENTICATION_FAILED [name, text]: not exactly one has this name, or the password. */
_must_check_ struct error *people_login(struct server *s, const char *name, const char *password,
                                        json_t **ret);
/* SUBJECT_CANNOT_BE_RESOLVED. who: identifier, name of a person, name of a group. */
_must_check_ struct error *people_find(struct server *s, const char *who, json_t **ret);
