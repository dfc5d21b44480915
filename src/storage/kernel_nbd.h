/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Exports of a chain's owner as block devices of the host (/dev/nbdN), for hypervisors that take
 * nothing else. The kernel's driver is spoken to through generic netlink (Linux,
 * include/uapi/linux/nbd-netlink.h); devices are known by an identifier that the kernel keeps, so
 * that they are found again after a restart of this program.
 *
 * While the process behind a device is gone, requests wait KERNEL_NBD_PATIENCE_S seconds for
 * another connection, then fail. Needs CAP_SYS_ADMIN and the module nbd. Any thread.
 */

#include "base/error.h"

#define KERNEL_NBD_PATIENCE_S 30
#define KERNEL_NBD_PATH       20

/* fd: connected to an NBD server, the handshake still to be made; taken in any case. A device of
 * that identifier that is there already is the answer. */
_must_check_ struct error *kernel_nbd_open(int fd, const char *export_name, const char *identifier,
                                           char ret_path[KERNEL_NBD_PATH]);
/* False = no device has that identifier. */
bool kernel_nbd_find(const char *identifier, char ret_path[KERNEL_NBD_PATH]);
/* Absent is success. */
_must_check_ struct error *kernel_nbd_close(const char *identifier);
/* Whatever programs have written to the device is at the server afterwards, and it was told to
 * flush: of those that do not write around it the kernel keeps pages. */
_must_check_ struct error *kernel_nbd_flush(const char *identifier);
