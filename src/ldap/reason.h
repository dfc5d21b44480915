/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Why a server cannot be connected to: libldap only says that it cannot. Tries again, for a second
 * at each of its addresses, and asks the kernel.
 */

#include "base/cleanup.h"

/* "Connection refused"; NULL = it can be connected to. The caller frees. */
char *reason_unreachable(const char *uri);
