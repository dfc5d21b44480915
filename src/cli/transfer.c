/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/transfer.h"

#include "base/io.h"
#include "cli/task.h"
#include "gen/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK         (1u << 18)
#define MAX_REDIRECTS 5

void query_add(struct str *query, const char *key, const char *value)
{
    str_printf(query, "&%s=", key);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~:,/", c))
            str_add_char(query, *value);
        else
            str_printf(query, "%%%02X", c);
    }
}

/* The file at this end. */
struct local {
    int fd;
    int64_t size; /* upload: -1 = not a plain file */
    bool sparse;  /* holes may be left */
};

static struct error *open_local(const struct transfer *t, struct local *ret)
{
    struct stat st;

    *ret = (struct local){.fd = -1, .size = -1};
    if (!t->upload && !*t->file) {
        ret->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
        return ret->fd < 0 ? error_errno(errno, "cannot use the output") : NULL;
    }
    ret->fd = open(
        t->file, t->upload ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (ret->fd < 0)
        return error_errno(errno, "cannot open %s", t->file);
    if (fstat(ret->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ret->size = t->upload ? st.st_size : -1;
        ret->sparse = !t->upload;
    }
    return NULL;
}

static void show(const struct transfer *t, int64_t done, int64_t total, int *shown)
{
    _cleanup_str_ struct str line = STR_INIT;
    int percent = total > 0 ? (int)(done * 100 / total) : 0;

    if (!t->progress || total <= 0 || percent == *shown)
        return;
    *shown = percent;
    progress_line((double)done / (double)total, &line);
    fputs(line.s, stderr);
}

static struct error *send_file(const struct transfer *t, const struct local *l, struct channel *ch)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    int64_t done = 0;
    int shown = -1;

    for (;;) {
        ssize_t n = read(l->fd, buf, BLOCK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(errno, "cannot read %s", t->file);
        if (!n)
            return NULL;
        TRY(channel_write(ch, buf, (size_t)n));
        done += n;
        show(t, done, l->size, &shown);
    }
}

static bool is_zero(const char *p, size_t n)
{
    return n && !*p && memcmp(p, p + 1, n - 1) == 0;
}

/* Blocks of zeros become holes: disks are mostly empty. */
static struct error *put(const struct local *l, const char *p, size_t n)
{
    if (l->sparse && is_zero(p, n))
        return lseek(l->fd, (off_t)n, SEEK_CUR) < 0 ? error_errno(errno, "cannot seek") : NULL;
    return io_write_all(l->fd, p, n);
}

static struct error *receive_file(const struct transfer *t, const struct local *l,
                                  struct channel *ch, int64_t length)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    int64_t done = 0;
    int shown = -1;

    while (length < 0 || done < length) {
        size_t want = length < 0 ? BLOCK : (size_t)MIN((int64_t)BLOCK, length - done), n;

        TRY(channel_read(ch, buf, want, &n));
        if (!n && length >= 0)
            return error_text("Lost connection to the server.");
        if (!n)
            break;
        TRY(put(l, buf, n));
        done += (int64_t)n;
        show(t, done, length < 0 ? t->total : length, &shown);
    }
    if (l->sparse && ftruncate(l->fd, done) < 0)
        return error_errno(errno, "cannot set the size of %s", t->file);
    return NULL;
}

/* The address of the host that has it, unless it is the one we talk to anyway. */
static struct error *address_of(struct xe *x, const struct transfer *t, char **ret)
{
    _cleanup_free_ char *leader = NULL;

    *ret = NULL;
    if (!t->host)
        return NULL;
    TRY(leading_host(&x->client, &leader));
    if (streq(leader, t->host))
        return NULL;
    return call_string(&x->client, ret, "host.get_address", "s", t->host);
}

/* Sends the request, following the server to another host. */
static struct error *request(struct xe *x, const struct transfer *t, const struct local *l,
                             const char *path, struct channel **ret, struct http_answer *ret_answer)
{
    _cleanup_free_ char *host = NULL, *at = xstrdup(path);

    TRY(address_of(x, t, &host));
    for (int i = 0; i < MAX_REDIRECTS; i++) {
        _cleanup_(http_answer_fini) struct http_answer a = {0};
        _cleanup_channel_ struct channel *ch = NULL;

        TRY(http_connect(&x->client.http, host, &ch));
        TRY(http_send_head(ch, t->upload ? "PUT" : "GET", at, host, t->upload ? l->size : -1));
        TRY(http_read_head(ch, &a));
        if (a.status == 302 && a.location) {
            char *next_host;
            char *next = xstrdup(http_split_url(a.location, &next_host));

            free(host);
            free(at);
            host = next_host;
            at = next;
            continue;
        }
        *ret = TAKE_PTR(ch);
        *ret_answer = a;
        a = (struct http_answer){0};
        return NULL;
    }
    return error_text("the server sends from host to host");
}

static struct error *exchange(struct xe *x, const struct transfer *t, const struct local *l,
                              const char *path, int *ret_status)
{
    _cleanup_(http_answer_fini) struct http_answer a = {0};
    _cleanup_channel_ struct channel *ch = NULL;

    TRY(request(x, t, l, path, &ch, &a));
    *ret_status = a.status;
    if (a.status != 200)
        return NULL;
    return t->upload ? send_file(t, l, ch) : receive_file(t, l, ch, a.length);
}

/* A refusal may come before the server took the task over: then nobody ends it, and only the
 * status tells what was wrong. */
static struct error *refused(struct xe *x, const char *task, int status)
{
    _cleanup_json_ json_t *batch = NULL;
    _cleanup_free_ char *only = xasprintf("task/%s", task), *state = NULL;

    TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    if (streq(state, "pending")) {
        TRY(call(&x->client, &batch, "event.from", "[s]sf", only, "", 0.0));
        const char *token = text_of(batch, "token");
        _cleanup_json_ json_t *second = NULL;

        /* The answer may have overtaken the end of the task. */
        TRY(call(&x->client, &second, "event.from", "[s]sf", only, token, 1.0));
        free(state);
        state = NULL;
        TRY(call_string(&x->client, &state, "task.get_status", "s", task));
    }
    if (streq(state, "pending"))
        return error_text("the server answered HTTP status %d", status);
    return NULL;
}

static struct error *with_task(struct xe *x, const struct transfer *t, const struct local *l,
                               const char *task, char **ret_result)
{
    _cleanup_free_ char *path =
        xasprintf("%s?session_id=%s&task_id=%s%s%s", t->path, x->client.session, task,
                  *t->query && *t->query != '&' ? "&" : "", t->query);
    int status = 0;
    struct error *e = exchange(x, t, l, path, &status);

    if (t->progress)
        fputc('\n', stderr);
    if (!e && status != 200)
        e = refused(x, task, status);
    if (!e)
        return task_finish(&x->client, task, false, ret_result);
    /* What the server has to say of a broken transfer is better than that it broke. */
    _cleanup_free_ char *state = NULL;
    struct error *asked = call_string(&x->client, &state, "task.get_status", "s", task);

    if (!asked && streq(state, "failure")) {
        error_free(e);
        return task_finish(&x->client, task, false, ret_result);
    }
    if (asked)
        error_free(asked);
    IGNORE_ERROR(call(&x->client, NULL, "task.destroy", "s", task));
    return e;
}

struct error *transfer_run(struct xe *x, const struct transfer *t, char **ret_result)
{
    _cleanup_free_ char *task = NULL;
    struct local l;

    TRY(open_local(t, &l));
    _cleanup_close_ int fd = l.fd;
    struct error *e =
        call_string(&x->client, &task, "task.create", "ss", t->label, t->detail ? t->detail : "");

    if (!e)
        e = with_task(x, t, &l, task, ret_result);
    /* A download that failed leaves nothing that looks like one. */
    if (e && !t->upload && *t->file)
        IGNORE_ERROR(io_unlink(t->file));
    return e;
}
