/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Accounts of the state directory, for hosts that do not ask PAM: <state>/accounts holds one
 * "NAME:HASH" a line, hashes as crypt(5) makes them. At the first start it gets the account root
 * with a random password, which is written to <state>/password for whoever owns the directory;
 * changing that password removes the file. Any thread; a check costs a hash (tens of milliseconds).
 */

#include "base/arena.h"
#include "base/error.h"

struct accounts;

/* how: "file" or "pam". */
_must_check_ struct error *accounts_open(const char *state_dir, const char *how,
                                         struct accounts **ret);
void accounts_close(struct accounts *a); /* NULL is accepted */
/* SESSION_AUTHENTICATION_FAILED [user, text] when refused; unknown users take as long. */
_must_check_ struct error *accounts_check(struct accounts *a, const char *user,
                                          const char *password, bool *ret_superuser);
/* SUBJECT_CANNOT_BE_RESOLVED when there is no such user or group. */
struct host_account_rec;
_must_check_ struct error *accounts_find(struct accounts *a, const char *who, struct arena *arena,
                                         struct host_account_rec *ret);
/* Of an account that exists. With PAM: refused, that is the host's affair. */
_must_check_ struct error *accounts_set_password(struct accounts *a, const char *user,
                                                 const char *password);
