/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The serial lines and displays of guests. */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/libxl/xl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <xenstore.h>

#define TTY_US (10 * SECOND_US)

/* The daemon that has the other end says in xenstore which terminal it made, some time after the
 * domain is there. */
static struct error *await_tty(const char *key, char **ret)
{
    struct xs_handle *xs = xs_open(0);
    int64_t deadline = mono_us() + TTY_US;
    char *tty = NULL;

    if (!xs)
        return error_errno(errno, "cannot reach xenstore");
    xs_watch(xs, key, "");
    for (;;) {
        struct pollfd p = {.fd = xs_fileno(xs), .events = POLLIN};
        int64_t left = deadline - mono_us();
        unsigned len;

        tty = xs_read(xs, XBT_NULL, key, &len);
        if ((tty && *tty) || left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0)
            break;
        free(TAKE_PTR(tty));
        free(xs_check_watch(xs));
    }
    xs_close(xs);
    if (str_empty(tty)) {
        free(tty);
        return error_errno(ETIMEDOUT, "the guest has no console yet");
    }
    *ret = tty;
    return NULL;
}

/* Bytes as they are: no echo, no line editing. */
static struct error *open_raw(const char *path, int *ret)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios t;

    if (fd < 0 || tcgetattr(fd, &t) < 0)
        return error_errno(errno, "cannot open %s", path);
    cfmakeraw(&t);
    tcsetattr(fd, TCSANOW, &t);
    *ret = TAKE_FD(fd);
    return NULL;
}

static struct error *open_serial(struct xdom *d)
{
    const char *kind = d->start.kind == HV_KIND_HVM ? "serial/0/tty" : "console/tty";
    _cleanup_free_ char *key = xasprintf("/local/domain/%lld/%s", (long long)d->domid, kind);
    _cleanup_free_ char *ring = xasprintf("%s/console", d->dir);
    _cleanup_free_ char *tty = NULL;
    int fd;

    TRY(await_tty(key, &tty));
    TRY(open_raw(tty, &fd));
    return console_open(d->xl->hub, fd, ring, NULL, &d->console);
}

static struct error *serial(struct hv *hv, const char *uuid, int *ret_fd)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter(hv, uuid, &d));
    if (!d->console && d->domid)
        TRY(open_serial(d));
    if (!d->console)
        return error_text("domain %s has no console any more", uuid);
    return console_view(d->console, ret_fd);
}

struct error *xl_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd)
{
    _cleanup_xdom_ struct xdom *d = NULL;

    if (kind == HV_CONSOLE_SERIAL)
        return serial(hv, uuid, ret_fd);
    TRY(xdom_find(hv, uuid, &d));
    if (d->start.kind != HV_KIND_HVM)
        return error_text("domain %s has no display", uuid);
    _cleanup_free_ char *path = xasprintf("%s/vnc", d->dir);

    return io_connect_unix(path, SOCK_STREAM, ret_fd);
}
