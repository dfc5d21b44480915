/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * hostd knows SRs, VDIs and VMs by uuid; the XenAPI's errors name them by reference. This turns
 * the parameters of an API error that came from hostd around. A VM of which hostd knows no domain
 * becomes VM_BAD_POWER_STATE. NULL and system errors pass.
 */

#include "base/error.h"

struct store;

/* Takes and returns ownership of e. */
struct error *from_host(struct store *s, struct error *e);
