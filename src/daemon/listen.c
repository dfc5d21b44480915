/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/listen.h"

#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>

#define FIRST_FD 3

const char *const listen_names[LISTEN_MAX] = {
    [LISTEN_XAPI] = "xapi", [LISTEN_HTTP] = "http", [LISTEN_TLS] = "tls"};

void listen_fds_init(struct listen_fds *l)
{
    for (int i = 0; i < LISTEN_MAX; i++)
        l->fd[i] = -1;
}

void listen_fds_fini(struct listen_fds *l)
{
    for (int i = 0; i < LISTEN_MAX; i++)
        cleanup_close(&l->fd[i]);
}

int listen_find(const char *name)
{
    for (int i = 0; i < LISTEN_MAX; i++)
        if (streq(listen_names[i], name))
            return i;
    return -1;
}

static void take(struct listen_fds *l, int fd, const char *name)
{
    int i = listen_find(name);

    if (i < 0 || l->fd[i] >= 0) {
        log_warning("a socket named \"%s\" was passed, which nobody waits for", name);
        close(fd);
        return;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    l->fd[i] = fd;
}

void listen_fds_activated(struct listen_fds *l)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");

    if (!pid || !count || strtol(pid, NULL, 10) != getpid())
        return;
    _cleanup_free_ char *copy = xstrdup(names ? names : "");
    char *rest = copy;
    long n = strtol(count, NULL, 10);

    for (int i = 0; i < n && i < 16; i++) {
        const char *name = strsep(&rest, ":");

        take(l, FIRST_FD + i, name ? name : "");
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}
