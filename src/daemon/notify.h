/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells the service manager how we are: a datagram to $NOTIFY_SOCKET, nothing without one. Source:
 * sd_notify(3). Any thread. */

#include "base/cleanup.h"

void notify_manager(const char *fmt, ...) _printf_(1, 2); /* "READY=1\nMAINPID=7" */
