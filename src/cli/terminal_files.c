/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of this process to and from a host, over HTTP, on a connection of their own. */
#include "base/io.h"
#include "base/world.h"
#include "cli/bar.h"
#include "cli/task.h"
#include "cli/terminal.h"
#include "cli/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK         (1u << 18)
#define MAX_REDIRECTS 5

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

/* How far it is: a line with rate and time for a person, a bar for whoever asks for one. */
struct progress {
    const struct front *front;
    struct bar bar;
    int percent; /* shown last */
    int64_t done;
};

static void show(const struct transfer *t, struct progress *p, int64_t done, int64_t total)
{
    _cleanup_str_ struct str line = STR_INIT;
    int percent = total > 0 ? (int)(done * 100 / total) : 0;

    p->done = done;
    if (!t->progress)
        return;
    if (p->front->is_person) {
        if (bar_line(&p->bar, mono_us(), done, total, &line))
            fputs(line.s, stderr);
    } else if (total > 0 && percent != p->percent) {
        p->percent = percent;
        progress_line((double)done / (double)total, &line);
        fputs(line.s, stderr);
    }
}

static void show_end(const struct transfer *t, const struct progress *p)
{
    _cleanup_str_ struct str line = STR_INIT;

    if (!t->progress)
        return;
    if (p->front->is_person)
        bar_end(&p->bar, mono_us(), p->done, &line);
    else
        str_lit(&line, "\n");
    fputs(line.s, stderr);
}

static struct error *send_file(const struct transfer *t, const struct local *l, struct channel *ch,
                               struct progress *p)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    int64_t done = 0;

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
        show(t, p, done, l->size);
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
                                  struct channel *ch, int64_t length, struct progress *p)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    int64_t done = 0;

    while (length < 0 || done < length) {
        size_t want = length < 0 ? BLOCK : (size_t)MIN((int64_t)BLOCK, length - done), n;

        TRY(channel_read(ch, buf, want, &n));
        if (!n && length >= 0)
            return error_text("Lost connection to the server.");
        if (!n)
            break;
        TRY(put(l, buf, n));
        done += (int64_t)n;
        show(t, p, done, length < 0 ? t->total : length);
    }
    if (l->sparse && ftruncate(l->fd, done) < 0)
        return error_errno(errno, "cannot set the size of %s", t->file);
    return NULL;
}

/* Sends the request, following the server to another host. */
static struct error *request(struct client *c, const struct transfer *t, const struct local *l,
                             const struct front_place *p, struct channel **ret,
                             struct http_answer *ret_answer)
{
    _cleanup_free_ char *host = p->host ? xstrdup(p->host) : NULL, *at = xstrdup(p->path);

    for (int i = 0; i < MAX_REDIRECTS; i++) {
        _cleanup_(http_answer_fini) struct http_answer a = {0};
        _cleanup_channel_ struct channel *ch = NULL;

        TRY(http_connect(&c->http, host, &ch));
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

static struct error *exchange(struct client *c, const struct transfer *t, const struct local *l,
                              const struct front_place *p, struct progress *progress,
                              int *ret_status)
{
    _cleanup_(http_answer_fini) struct http_answer a = {0};
    _cleanup_channel_ struct channel *ch = NULL;

    TRY(request(c, t, l, p, &ch, &a));
    *ret_status = a.status;
    if (a.status != 200)
        return NULL;
    bar_init(&progress->bar, mono_us());
    return t->upload ? send_file(t, l, ch, progress) : receive_file(t, l, ch, a.length, progress);
}

/* Nothing can be taken up where it broke off. */
static void advise(struct front *f, const struct transfer *t)
{
    if (t->upload)
        front_tell(
            f, "The upload broke off: part of %s has arrived. The same command begins it anew.\n",
            t->file);
    else
        front_tell(f,
                   "The download broke off and what had come was removed. The same command begins "
                   "it anew.\n");
}

struct error *terminal_move(struct front *f, struct client *c, const struct transfer *t,
                            const struct front_place *p, int *ret_status)
{
    struct terminal *me = container_of(f, struct terminal, front);
    struct local l;

    free(me->made);
    me->made = NULL;
    TRY(open_local(t, &l));
    _cleanup_close_ int fd = l.fd;

    if (!t->upload && *t->file)
        me->made = xstrdup(t->file);
    struct progress progress = {.front = f, .percent = -1};
    struct error *e = exchange(c, t, &l, p, &progress, ret_status);

    if (*ret_status == 200)
        show_end(t, &progress);
    if (e && *ret_status == 200)
        advise(f, t);
    return e;
}
