/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Descriptors and small files: complete reads and writes, atomic replacement with fsync, sockets.
 * Everything is opened close-on-exec. Blocking.
 */

#include "base/error.h"
#include "base/str.h"

#include <sys/types.h>

_must_check_ struct error *io_write_all(int fd, const void *p, size_t n);
/* Reads exactly n bytes; an early end of file is an error. */
_must_check_ struct error *io_read_all(int fd, void *p, size_t n);
/* Reads a whole file of at most max bytes. */
_must_check_ struct error *io_read_file(const char *path, size_t max, struct str *ret);
/* Writes path.tmp, flushes it, puts it in path's place and flushes the directory. After an error
 * path is as it was, unless the file system cannot let two files change places (NFS) and the
 * directory could not be flushed. */
_must_check_ struct error *io_write_file(const char *path, const void *p, size_t n, mode_t mode);
/* The same without flushes: whole or not at all for whoever looks while the machine runs. After a
 * power cut it may be old, empty or absent; for what means nothing then (processes, ports). */
_must_check_ struct error *io_replace_file(const char *path, const void *p, size_t n, mode_t mode);
/* Removes what writes that were cut short left in dir; nobody else may be writing there. */
void io_remove_temporaries(const char *dir);
_must_check_ struct error *io_fsync_dir(const char *dir);
/* Creates the directory and its parents; an existing directory is success. */
_must_check_ struct error *io_mkdir_p(const char *dir, mode_t mode);
/* Can be the name of a file, whoever sent it: up to 128 letters, digits, '.', '_' and '-', no '.'
 * first. */
bool io_is_file_name(const char *name);
/* Removes a file; an absent one is success. */
_must_check_ struct error *io_unlink(const char *path);

/* Listens on a unix socket; an old socket file is replaced, mode applies from the start. The path
 * may be longer than sun_path allows (a descriptor of its directory is used). */
_must_check_ struct error *io_listen_unix(const char *path, int type, mode_t mode, int *ret_fd);
_must_check_ struct error *io_connect_unix(const char *path, int type, int *ret_fd);
_must_check_ struct error *io_set_nonblock(int fd, bool on);
/*
 * Locks an open file for this process alone, EWOULDBLOCK: another has it. Waits a moment for it: a
 * process that was killed while it started a program leaves its locks to that child until the
 * child executes.
 */
_must_check_ struct error *io_lock(int fd);
