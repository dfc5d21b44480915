/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* USB devices of the host (PUSB), the group each is offered in, and their place in a VM (VUSB). */

#include "gen/class/PUSB_txn.h"
#include "gen/host_proto.h"

/* Rows for what is plugged in; what was pulled out goes, with its group. */
_must_check_ struct error *pusb_refresh(struct txn *t, const char *host,
                                        const struct host_host_devices_result *found);
