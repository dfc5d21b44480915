/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * VMs that start with their machine: those whose other_config has AUTOSTART_KEY = "true", if the
 * pool's has it too (key and rule are those of the XenAPI's scripts). They start in the order of
 * VM.order, with VM.start_delay between the groups; one that cannot start does not keep the others
 * from it.
 */

#include "base/error.h"
#include "task/daemon.h"

#define AUTOSTART_KEY "auto_poweron"

/* Once a boot: begins to start them when this one was not seen before. After setup_rows and
 * vm_reconcile. Returns before anything has started. */
_must_check_ struct error *vm_autostart(struct daemon *d);
