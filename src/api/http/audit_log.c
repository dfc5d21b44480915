/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET /audit_log: lines of task/audit.h, the oldest first. */
#include "api/http/transfer.h"
#include "base/io.h"
#include "gen/errors.h"
#include "task/audit.h"
#include "value/json.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PIECE (64u << 10)

struct files {
    int fds[AUDIT_FILES];
    size_t n;
};

static void close_files(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        close(f->fds[i]);
}

/* As lines begin: no hyphens, no zone. A date alone is its first second. */
static struct error *read_since(struct transfer *t, const char **ret)
{
    const char *text = transfer_param(t, "since");
    char *out = arena_strdup(&t->arena, text), *w = out;

    for (const char *p = text; *p; p++)
        if (*p != '-' && *p != 'Z')
            *w++ = *p;
    *w = 0;
    *ret = out;
    if (strspn(out, "0123456789T:.") != strlen(out))
        return err_invalid_value("since", text);
    return NULL;
}

/* Whole lines of the buffer; returns how much of it they are. */
static size_t choose(const char *buf, size_t n, const char *since, struct str *out)
{
    size_t done = 0;

    for (const char *end; (end = memchr(buf + done, '\n', n - done));) {
        size_t length = (size_t)(end - buf) - done + 1;

        if (!*since || audit_is_since(buf + done, length, since))
            str_add_mem(out, buf + done, length);
        done += length;
    }
    return done;
}

static struct error *send_file(struct transfer *t, int fd, const char *since)
{
    _cleanup_str_ struct str out = STR_INIT;
    char *buf = arena_alloc(&t->arena, PIECE);
    size_t have = 0;

    for (;;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, buf + have, PIECE - have));

        if (n < 0)
            return error_errno(errno, "cannot read the audit log");
        if (!n)
            return NULL;
        have += (size_t)n;
        size_t done = choose(buf, have, since, &out);

        TRY(stream_write(t->stream, str_cstr(&out), out.len));
        str_clear(&out);
        TRY(transfer_check(t));
        if (!done && have == PIECE)
            return error_text("a line of the audit log has no end");
        memmove(buf, buf + done, have - done);
        have -= done;
    }
}

static struct error *send_all(struct transfer *t)
{
    const char *dir = arena_printf(&t->arena, "%s/audit", t->daemon->state_dir), *since;
    _cleanup_(close_files) struct files f = {.n = 0};

    TRY(read_since(t, &since));
    f.n = audit_open_all(dir, f.fds);
    TRY(transfer_take(t, "text/plain", NULL, -1));
    for (size_t i = 0; i < f.n; i++)
        TRY(send_file(t, f.fds[i], since));
    return NULL;
}

const struct transfer_kind transfer_audit_log = {
    .action = HTTP_GET_AUDIT_LOG, .run = send_all, .has_task = true};
