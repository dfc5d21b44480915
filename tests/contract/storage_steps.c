/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage_steps.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int steps_left = INT_MAX;

void steps_crash_at(int n)
{
    atomic_store(&steps_left, n > 0 ? n : INT_MAX);
}

static void step(void)
{
    if (atomic_fetch_sub(&steps_left, 1) <= 1)
        _exit(STEPS_CRASHED);
}

int rename(const char *from, const char *to)
{
    step();
    return (int)syscall(SYS_rename, from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    step();
    return (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

int unlinkat(int fd, const char *path, int flags)
{
    step();
    return (int)syscall(SYS_unlinkat, fd, path, flags);
}

int fsync(int fd)
{
    step();
    return (int)syscall(SYS_fsync, fd);
}
