/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Passwords of this host's accounts, through PAM. PAM modules may do anything to the process they
 * run in, so each question is asked by a helper: this program once more, for one question. The name
 * and password go through a pipe, the answer is the exit code. PAM service: "xenolith", else
 * "login" rules as the host's /etc/pam.d says for unknown services ("other").
 */

#include "base/error.h"

/* SESSION_AUTHENTICATION_FAILED [user, text] when refused. Blocks up to a minute. */
_must_check_ struct error *pam_check(const char *user, const char *password, bool *ret_superuser);
/* main() of the helper. */
int pam_helper_main(void);
