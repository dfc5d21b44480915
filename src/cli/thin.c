/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/thin.h"

#include "base/io.h"
#include "base/mem.h"
#include "cli/failure.h"
#include "cli/session.h"
#include "cli/task.h"
#include "cli/thin_wire.h"
#include "cli/transfer.h"

#include <errno.h>
#include <poll.h>

#define GREET_S    8    /* less than the server waits for our first call */
#define FILE_S     60   /* for the next piece of a small file */
#define PROMPT_S   3600 /* people think */
#define MOVE_S     900  /* clients say every 300 s that they are busy */
#define PING_S     60   /* less than the server lets a connection rest */
#define LINE_MAX_  65536u
#define PRINT_SIZE 65536u

/* ---- bytes ---- */

static struct error *lost(struct thin *t)
{
    t->gone = true;
    return error_text("Lost connection to the client.");
}

static void ping(struct thin *t)
{
    struct client *c = t->client;

    if (c && c->session && !c->local)
        IGNORE_ERROR(call(c, NULL, "session.get_uuid", "s", c->session));
}

static struct error *fill(struct thin *t, int limit_s)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};

    for (int waited = 0; poll(&p, 1, MIN(limit_s, PING_S) * 1000) == 0;) {
        waited += PING_S;
        if (waited >= limit_s)
            return lost(t);
        ping(t);
    }
    ssize_t n = read(t->fd, t->buf, sizeof(t->buf));

    if (n <= 0)
        return lost(t);
    t->at = 0;
    t->end = (size_t)n;
    return NULL;
}

struct error *thin_read(struct thin *t, void *p, size_t n, int limit_s)
{
    char *to = p;

    while (n) {
        if (t->at == t->end)
            TRY(fill(t, limit_s));
        size_t have = MIN(n, t->end - t->at);

        memcpy(to, t->buf + t->at, have);
        t->at += have;
        to += have;
        n -= have;
    }
    return NULL;
}

static struct error *send_bytes(struct thin *t, const struct str *bytes)
{
    struct error *e = t->gone ? lost(t) : io_write_all(t->fd, bytes->s, bytes->len);

    if (e)
        t->gone = true;
    return e;
}

static struct error *send_command(struct thin *t, enum thin_command command, const char *one,
                                  const char *two)
{
    _cleanup_str_ struct str bytes = STR_INIT;

    thin_add_command(&bytes, command, one, two);
    return send_bytes(t, &bytes);
}

/* The next message that is no "wait". */
static struct error *receive(struct thin *t, int limit_s, struct thin_message *ret)
{
    char message[16];

    do {
        size_t used, n = 4;
        struct error *e;

        TRY(thin_read(t, message, n, limit_s));
        while (!(e = thin_read_message(message, n, ret, &used)) && !used) {
            TRY(thin_read(t, message + n, 1, limit_s));
            n++;
        }
        if (e)
            t->gone = true;
        TRY(e);
    } while (ret->answer == THIN_WAIT);
    return NULL;
}

static struct error *unexpected(struct thin *t)
{
    t->gone = true;
    return error_text("the client does not keep to the protocol");
}

/* Chunks until their end; more than max bytes fail, after all of them were taken. */
static struct error *receive_blob(struct thin *t, int limit_s, size_t max, struct str *ret)
{
    struct thin_message m;
    char piece[4096];
    bool fits = true;

    for (;;) {
        TRY(receive(t, limit_s, &m));
        if (m.answer == THIN_END)
            return fits ? NULL : error_text("the file is larger than %zu bytes", max);
        if (m.answer != THIN_CHUNK)
            return unexpected(t);
        for (size_t left = m.n, n; left; left -= n) {
            n = MIN(left, sizeof(piece));
            TRY(thin_read(t, piece, n, limit_s));
            fits = fits && ret->len + n <= max;
            if (fits)
                str_add_mem(ret, piece, n);
        }
    }
}

/* ---- the front ---- */

/* So much of a long text that it ends with a line. */
static size_t whole_lines(const char *text, size_t n)
{
    if (n <= PRINT_SIZE)
        return n;
    for (size_t i = PRINT_SIZE; i > 0; i--)
        if (text[i - 1] == '\n')
            return i;
    for (size_t i = PRINT_SIZE; i < n; i++)
        if (text[i] == '\n')
            return i + 1;
    return n;
}

/* The client ends each text with a newline of its own. Long ones go in pieces of whole lines. */
static struct error *print(struct front *f, const char *text, size_t n)
{
    struct thin *t = container_of(f, struct thin, front);

    while (n) {
        _cleanup_str_ struct str bytes = STR_INIT;
        size_t piece = whole_lines(text, n);

        thin_add_text(&bytes, THIN_PRINT, text, piece - (text[piece - 1] == '\n'));
        TRY(send_bytes(t, &bytes));
        text += piece;
        n -= piece;
    }
    return NULL;
}

static void tell(struct front *f, const char *text)
{
    struct thin *t = container_of(f, struct thin, front);
    _cleanup_str_ struct str bytes = STR_INIT;

    thin_add_text(&bytes, THIN_PRINT_STDERR, text, strlen(text));
    IGNORE_ERROR(send_bytes(t, &bytes));
}

static struct error *read_file(struct front *f, const char *name, size_t max, struct str *ret)
{
    struct thin *t = container_of(f, struct thin, front);
    struct thin_message m;

    if (t->client)
        TRY(client_login(t->client)); /* a user may be slower than the server's patience */
    TRY(send_command(t, THIN_LOAD, name, NULL));
    TRY(receive(t, FILE_S, &m));
    if (m.answer == THIN_FAILED)
        return error_text("cannot read %s", name);
    return m.answer == THIN_OK ? receive_blob(t, FILE_S, max, ret) : unexpected(t);
}

static struct error *read_line(struct front *f, struct str *ret)
{
    struct thin *t = container_of(f, struct thin, front);

    if (t->client)
        TRY(client_login(t->client));
    TRY(send_command(t, THIN_PROMPT, NULL, NULL));
    return receive_blob(t, PROMPT_S, LINE_MAX_, ret);
}

/* How far the task is, while the client moves the file. */
static struct error *show_progress(struct thin *t, const char *task)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    int shown = -1;

    while (t->at == t->end && poll(&p, 1, 500) == 0) {
        _cleanup_json_ json_t *done = NULL;
        _cleanup_str_ struct str line = STR_INIT;

        TRY(call(t->client, &done, "task.get_progress", "s", task));
        int percent = (int)(json_number_value(done) * 100);

        if (percent == shown)
            continue;
        shown = percent;
        progress_line(json_number_value(done), &line);
        tell(&t->front, str_cstr(&line));
    }
    return NULL;
}

static char *url_of(const struct front_place *p)
{
    return p->host ? xasprintf("https://%s%s", p->host, p->path) : xstrdup(p->path);
}

static struct error *move(struct front *f, struct client *c, const struct transfer *tr,
                          const struct front_place *p, struct front_moved *ret)
{
    struct thin *t = container_of(f, struct thin, front);
    _cleanup_free_ char *url = url_of(p);
    struct thin_message m;

    TRY(send_command(t, tr->upload ? THIN_HTTP_PUT : THIN_HTTP_GET, tr->file, url));
    if (tr->progress)
        TRY(show_progress(t, p->task));
    TRY(receive(t, MOVE_S, &m));
    if (m.answer != THIN_OK && m.answer != THIN_FAILED)
        return unexpected(t);
    ret->status = m.answer == THIN_OK ? 200 : 0;
    if (tr->progress && m.answer == THIN_OK) {
        _cleanup_str_ struct str line = STR_INIT;

        progress_line(1, &line);
        tell(f, str_cstr(&line));
    }
    if (tr->progress)
        tell(f, "\n");
    return NULL;
}

/* What the client has written is the client's. */
static void discard(struct front *f)
{
}

static struct error *console(struct front *f, struct client *c, const struct front_place *p)
{
    struct thin *t = container_of(f, struct thin, front);
    const struct front_place here = {.path = p->path};
    _cleanup_free_ char *url = url_of(&here);
    struct thin_message m;

    TRY(send_command(t, THIN_HTTP_CONNECT, url, NULL));
    TRY(receive(t, MOVE_S, &m));
    return m.answer == THIN_OK ? NULL : fail_exit(1);
}

static const struct front_ops ops = {
    .print = print,
    .tell = tell,
    .read_file = read_file,
    .read_line = read_line,
    .move = move,
    .discard = discard,
    .console = console,
};

void thin_init(struct thin *t, int fd)
{
    t->front = (struct front){.ops = &ops};
    t->fd = fd;
    t->client = NULL;
    t->gone = false;
    t->at = t->end = 0;
}

struct error *thin_greet(struct thin *t)
{
    _cleanup_str_ struct str bytes = STR_INIT;
    char hello[THIN_HELLO_LEN];

    thin_add_hello(&bytes);
    TRY(send_bytes(t, &bytes));
    TRY(thin_read(t, hello, sizeof(hello), GREET_S));
    return thin_read_hello(hello);
}

void thin_exit(struct thin *t, int code)
{
    _cleanup_str_ struct str bytes = STR_INIT;

    thin_add_exit(&bytes, code);
    IGNORE_ERROR(send_bytes(t, &bytes));
}
