/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/namespace.h"

#include "base/io.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static bool set(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct error *e = fd < 0 ? error_text("no %s", path) : io_write_all(fd, text, strlen(text));

    error_free(e);
    return !e;
}

bool namespace_be_root(void)
{
    _cleanup_free_ char *users = xasprintf("0 %d 1\n", (int)geteuid());
    _cleanup_free_ char *groups = xasprintf("0 %d 1\n", (int)getegid());

    if (geteuid() == 0)
        return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && set("/proc/self/uid_map", users) &&
           set("/proc/self/setgroups", "deny") && set("/proc/self/gid_map", groups);
}
