/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text console of a VM on this terminal. */
#include "base/io.h"
#include "cli/commands.h"
#include "cli/select.h"

#include <errno.h>
#include <poll.h>
#include <termios.h>

#define QUIT 0x1d /* Ctrl-] */

/* The terminal in raw mode, if it is one; as it was at the end. */
struct terminal {
    struct termios before;
    bool is_raw;
};

static void terminal_raw(struct terminal *t)
{
    struct termios raw;

    t->is_raw = tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (!t->is_raw)
        return;
    raw = t->before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void terminal_restore(struct terminal *t)
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

static struct error *say(const char *text)
{
    fprintf(stderr, "%s\n", text);
    return fail_exit(1);
}

/* The serial console among those of the VM. */
static struct error *text_console(struct xe *x, const char *vm, json_t **ret)
{
    _cleanup_json_ json_t *refs = NULL;
    const json_t *ref;
    size_t i;

    TRY(call(&x->client, &refs, "VM.get_consoles", "s", vm));
    json_array_foreach (refs, i, ref) {
        _cleanup_json_ json_t *record = NULL;

        TRY(call(&x->client, &record, "console.get_record", "s", json_string_value(ref)));
        if (streq(text_of(record, "protocol"), "vt100")) {
            *ret = json_incref(record);
            return NULL;
        }
    }
    return say("No text console available");
}

static struct error *open_console(struct xe *x, const json_t *console, struct channel **ret)
{
    _cleanup_(http_answer_fini) struct http_answer a = {0};
    _cleanup_free_ char *host = NULL;
    const char *location = http_split_url(text_of(console, "location"), &host);
    _cleanup_free_ char *path = xasprintf("%s%csession_id=%s", location,
                                          strchr(location, '?') ? '&' : '?', x->client.session);
    _cleanup_channel_ struct channel *ch = NULL;

    /* On the machine itself the local socket leads there too. */
    TRY(http_connect(&x->client.http, x->client.options->server ? host : NULL, &ch));
    TRY(http_send_head(ch, "CONNECT", path, NULL, 0));
    TRY(http_read_head(ch, &a));
    if (a.status == 404)
        return say("Server replied with HTTP 404: the console is not available");
    if (a.status != 200)
        return error_text("the server answered HTTP status %d", a.status);
    *ret = TAKE_PTR(ch);
    return NULL;
}

struct error *console(struct xe *x)
{
    _cleanup_(selection_fini) struct selection vms = {0};
    _cleanup_(terminal_restore) struct terminal terminal = {0};
    _cleanup_json_ json_t *record = NULL;
    _cleanup_free_ char *name = NULL;
    _cleanup_channel_ struct channel *ch = NULL;

    TRY(select_objects(x, &vms));
    if (!vms.n)
        return say("No VM found");
    if (vms.n > 1)
        return say("Multiple VMs found: please narrow your request to one VM.");
    TRY(text_console(x, vms.v[0].ref, &record));
    TRY(call_string(&x->client, &name, "VM.get_name_label", "s", vms.v[0].ref));
    TRY(open_console(x, record, &ch));
    print_now(&x->printer, "Connecting to console on VM %s. Press Ctrl + ']' to quit.", name);
    terminal_raw(&terminal);
    return relay(ch);
}
