/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A SQLite VFS that knows which writes a power cut could take back: those since the last flush of
 * their file. It passes everything on to the real file system and can, at any moment, write the
 * files as a disk might have them after the power came back. One thread; for tests.
 */

#include <stdbool.h>
#include <stdint.h>

/* Called before every write, truncation and flush; `main_file`: of the database file, not its log.
 */
typedef void (*lossy_event)(void *ctx, bool main_file);

/* Becomes the default VFS. */
void lossy_install(lossy_event event, void *ctx);
/* The real one is the default again; all that is remembered goes. */
void lossy_remove(void);
/* While suspended, opens go to the real VFS. */
void lossy_suspend(bool on);

enum lossy_loss {
    LOSE_ALL,  /* nothing since the last flush arrived */
    LOSE_SOME, /* each write did or did not, or only its first sectors */
    LOSE_NONE,
};

/* The database `path` and its log, as after a power cut now, into `copy` and its log. */
void lossy_crash_image(const char *path, const char *copy, enum lossy_loss loss, uint64_t *seed);
