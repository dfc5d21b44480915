/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text console on this terminal. */
#include "base/io.h"
#include "cli/failure.h"
#include "cli/session.h"
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <termios.h>

#define QUIT 0x1d /* Ctrl-] */

/* The terminal in raw mode, if it is one; as it was at the end. */
struct keyboard {
    struct termios before;
    bool is_raw;
};

static void keyboard_raw(struct keyboard *t)
{
    struct termios raw;

    t->is_raw = tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (!t->is_raw)
        return;
    raw = t->before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void keyboard_restore(struct keyboard *t)
{
    if (t->is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
}

/* Keys to the VM; *ret_quit: the one that quits, or the end of the input. */
static struct error *send_keys(struct channel *ch, bool *ret_quit)
{
    char keys[1024];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

    if (n < 0)
        return errno == EINTR ? NULL : error_errno(errno, "cannot read the keyboard");
    const char *quit = memchr(keys, QUIT, (size_t)n);

    *ret_quit = quit || n == 0;
    return channel_write(ch, keys, quit ? (size_t)(quit - keys) : (size_t)n);
}

static struct error *show_output(struct channel *ch, bool *ret_end)
{
    char text[4096];
    size_t n;

    TRY(channel_read(ch, text, sizeof(text), &n));
    *ret_end = n == 0;
    return io_write_all(STDOUT_FILENO, text, n);
}

static struct error *relay(struct channel *ch)
{
    bool end = false;

    while (!end) {
        struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = ch->fd, .events = POLLIN}};

        if (channel_has_bytes(ch)) {
            TRY(show_output(ch, &end));
            continue;
        }
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return error_errno(errno, "cannot wait for the console");
        if (p[0].revents)
            TRY(send_keys(ch, &end));
        if (p[1].revents && !end)
            TRY(show_output(ch, &end));
    }
    return NULL;
}

static struct error *open_console(struct front *f, struct client *c, const struct front_place *p,
                                  struct channel **ret)
{
    _cleanup_(http_answer_fini) struct http_answer a = {0};
    _cleanup_channel_ struct channel *ch = NULL;

    /* On the machine itself the local socket leads there too. */
    TRY(http_connect(&c->http, c->options->server ? p->host : NULL, &ch));
    TRY(http_send_head(ch, "CONNECT", p->path, NULL, 0, 0));
    TRY(http_read_head(ch, &a));
    if (a.status == 404)
        return front_fail(f, "Server replied with HTTP 404: the console is not available");
    if (a.status != 200)
        return error_text("the server answered HTTP status %d", a.status);
    *ret = TAKE_PTR(ch);
    return NULL;
}

struct error *terminal_console(struct front *f, struct client *c, const struct front_place *p)
{
    _cleanup_(keyboard_restore) struct keyboard keyboard = {0};
    _cleanup_channel_ struct channel *ch = NULL;

    TRY(open_console(f, c, p, &ch));
    keyboard_raw(&keyboard);
    return relay(ch);
}
