/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Runs of qemu-img, for images that no process has open. Paths come from drivers, formats are
 * always named (nothing is probed), backing files are never followed by name.
 * Results are flushed to disk. Errors are system errors; ENOSPC is told apart.
 */

#include "storage/sr_driver.h"

/* What QEMU calls the format. */
const char *qimg_driver(enum image_format format);
_must_check_ struct error *qimg_create(const char *program, const char *path,
                                       enum image_format format, int64_t size);
_must_check_ struct error *qimg_resize(const char *program, const char *path,
                                       enum image_format format, int64_t size);
_must_check_ struct error *qimg_rebase(const char *program, const char *path, const char *parent,
                                       enum image_format parent_format);
/* Copies what is read through a chain; `source` describes it as block options (see graph.h) and is
 * only read. */
_must_check_ struct error *qimg_convert(const char *program, const json_t *source, const char *path,
                                        enum image_format format,
                                        const struct image_progress *progress);
