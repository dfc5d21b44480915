/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The directory that people other than root come from: the accounts of the host (type "PAM"). On
 * and off with enable_external_auth; who of it may log in is said by rows of class subject.
 */

#include "base/error.h"
#include "gen/host_proto.h"

struct call;

/* AUTH_IS_DISABLED while no directory is in use. */
_must_check_ struct error *directory_check_on(struct call *c);
/* SUBJECT_CANNOT_BE_RESOLVED. */
_must_check_ struct error *directory_find(struct call *c, const char *who,
                                          struct host_host_account_result *ret);
