/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The disk of the database: a SQLite VFS whose files are memory of the simulation. Writes wait in
 * the "page cache" until they are flushed; a power cut keeps any part of those that were not, in
 * units of a sector. A killed program loses nothing it wrote. Flushes take virtual time.
 */

#include "simulation/random.h"

enum disk_fault { DISK_FINE, DISK_EIO, DISK_FULL, DISK_FLUSH_EIO };

/* Becomes SQLite's default VFS. */
void disk_install(struct chance *chance);
/* What was not flushed is lost, kept or torn. */
void disk_power_cut(void);
/* From the n-th operation on, `times` operations of the kind fail. */
void disk_fail(enum disk_fault fault, unsigned nth, unsigned times);
/* Flushes do nothing but say they did: a broken disk, for the test of the tests. */
extern bool disk_lies;
