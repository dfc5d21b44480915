/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A look at the first bytes of an image file: is it what its record says? Cheap enough for a scan
 * of thousands, where a run of qemu-img for each would take seconds.
 * Formats: qcow2 (QEMU docs/interop/qcow2), VHD (Microsoft's specification, version 1.0).
 */

#include "storage/sr_driver.h"

/* Absent or unreadable files are not sound; *ret is always filled. */
void image_file_stat(int dir_fd, const char *name, enum image_format format, int64_t size,
                     struct image_stat *ret);
