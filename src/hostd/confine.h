/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What xenolith-hostd gives up before its first thread starts, for itself and for all it starts.
 * Root keeps the capabilities its work needs; other users have none to keep. Programs it starts
 * give up more (sandbox/child.h).
 */

#include "base/error.h"

_must_check_ struct error *confine_self(bool xen);
/* The same for the process that mounts (mount_helper.h). */
_must_check_ struct error *confine_mount_helper(void);
