/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the calls on hosts and the set-up at the start. */

/* Key of host.other_config, set by host.disable with auto_enable false: the host stays disabled
 * when the daemon starts again. Otherwise a start enables it. */
#define HOST_STAYS_DISABLED "disabled_until_enabled"
