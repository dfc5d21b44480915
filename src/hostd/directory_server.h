/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * People of a directory server (LDAP). How it is asked lies in <state>/directory, readable by this
 * program's user alone, for it may hold a password. Each question is a process of its own,
 * xenolith-ldap (src/ldap/), confined and without privileges: what reads a stranger's bytes is not
 * in this program. What is asked goes through its standard input.
 *
 * Any thread; each call blocks up to DIRECTORY_TIME_S. At most DIRECTORY_QUESTIONS are under way,
 * so that a server that does not answer cannot take all threads: TOO_MANY_PENDING_TASKS.
 */

#include "base/arena.h"
#include "gen/host_proto.h"

#define DIRECTORY_TIME_S    10
#define DIRECTORY_QUESTIONS 8

struct machine;

/* Tries the server, then keeps the configuration; an empty one forgets what is kept. ca: trusted if
 * the configuration has none. AUTH_ENABLE_FAILED and its kinds, AUTH_SETUP_TLS_CONNECTION. */
_must_check_ struct error *directory_server_set(struct machine *m,
                                                const struct map_string_string *config,
                                                const char *ca);
/* SESSION_AUTHENTICATION_FAILED [user, text], AUTH_SERVICE_ERROR [why]. */
_must_check_ struct error *directory_server_login(struct machine *m, const char *user,
                                                  const char *password, struct arena *a,
                                                  struct host_account_rec *ret);
/* who: a name or an identifier. SUBJECT_CANNOT_BE_RESOLVED, AUTH_SERVICE_ERROR [why]. */
_must_check_ struct error *directory_server_find(struct machine *m, const char *who,
                                                 struct arena *a, struct host_account_rec *ret);
