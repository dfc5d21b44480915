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
#define COMPARED      (1 << 16)
#define MAX_REDIRECTS 5

/* The file at this end. */
struct local {
    int fd;
    int64_t size; /* upload: -1 = not a plain file */
    bool sparse;  /* holes may be left */
};

/* Stands at the byte where it begins or goes on. */
static struct error *open_local(const struct transfer *t, struct local *ret)
{
    int flags = t->upload ? O_RDONLY : t->offset ? O_RDWR : O_WRONLY | O_CREAT | O_EXCL;
    struct stat st;

    *ret = (struct local){.fd = -1, .size = -1};
    if (!t->upload && !*t->file) {
        ret->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
        return ret->fd < 0 ? error_errno(errno, "cannot use the output") : NULL;
    }
    _cleanup_close_ int fd = open(t->file, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(errno, "cannot open %s", t->file);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ret->size = t->upload ? st.st_size : -1;
        ret->sparse = !t->upload;
    }
    if (t->offset && (!S_ISREG(st.st_mode) || lseek(fd, (off_t)t->offset, SEEK_SET) < 0 ||
                      (t->upload ? st.st_size < t->offset : st.st_size != t->offset)))
        return error_text("%s has not %s%lld bytes", t->file, t->upload ? "at least " : "",
                          (long long)t->offset);
    ret->fd = TAKE_FD(fd);
    return NULL;
}

/* How much of what is there already a download compares. */
static size_t overlap(const struct transfer *t)
{
    return (size_t)MIN(t->offset, (int64_t)COMPARED);
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

/* Behind the bytes that went over before, a file goes as records of offset, length, data; twelve
 * zero bytes end them. Source: XenAPI "chunked" raw import. */
#define RECORD_HEAD 12

static int64_t length_to_send(const struct transfer *t, const struct local *l)
{
    int64_t rest = l->size - t->offset;

    return t->offset ? rest + RECORD_HEAD * ((rest + BLOCK - 1) / BLOCK + 1) : l->size;
}

static struct error *send_record_head(struct channel *ch, int64_t offset, size_t n)
{
    unsigned char head[RECORD_HEAD];

    for (int i = 0; i < 8; i++)
        head[i] = (unsigned char)((uint64_t)offset >> (8 * i));
    for (int i = 0; i < 4; i++)
        head[8 + i] = (unsigned char)(n >> (8 * i));
    return channel_write(ch, head, sizeof(head));
}

/* A whole block but for the end of the file. */
static struct error *read_block(const struct transfer *t, const struct local *l, char *buf,
                                size_t *ret)
{
    for (*ret = 0; *ret < BLOCK;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(l->fd, buf + *ret, BLOCK - *ret));

        if (n < 0)
            return error_errno(errno, "cannot read %s", t->file);
        if (!n)
            break;
        *ret += (size_t)n;
    }
    return NULL;
}

static struct error *send_file(const struct transfer *t, const struct local *l, struct channel *ch,
                               struct progress *p)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    int64_t done = t->offset;
    size_t n;

    for (;;) {
        TRY(read_block(t, l, buf, &n));
        if (!n)
            return t->offset ? send_record_head(ch, 0, 0) : NULL;
        if (t->offset)
            TRY(send_record_head(ch, done, n));
        TRY(channel_write(ch, buf, n));
        done += (int64_t)n;
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

static struct error *receive_rest(const struct transfer *t, const struct local *l,
                                  struct channel *ch, int64_t end, struct progress *p)
{
    _cleanup_free_ char *buf = xmalloc(BLOCK);
    size_t n;

    while (end < 0 || p->done < end) {
        TRY(channel_read(ch, buf, end < 0 ? BLOCK : (size_t)MIN((int64_t)BLOCK, end - p->done),
                         &n));
        if (!n && end >= 0)
            return error_text("Lost connection to the server.");
        if (!n)
            break;
        TRY(put(l, buf, n));
        show(t, p, p->done + (int64_t)n, end < 0 ? t->total : end);
    }
    return NULL;
}

/* What came is in the file, also when it breaks off: its size tells how much that is. */
static struct error *receive_file(const struct transfer *t, const struct local *l,
                                  struct channel *ch, int64_t length, struct progress *p)
{
    p->done = t->offset;
    struct error *e = receive_rest(t, l, ch, length < 0 ? -1 : t->offset + length, p);

    if (l->sparse && ftruncate(l->fd, p->done) < 0 && !e)
        e = error_errno(errno, "cannot set the size of %s", t->file);
    return e;
}

/* The server begins a little before the end of what is there, which must be the same. */
static struct error *compare_end(const struct transfer *t, const struct local *l,
                                 struct channel *ch)
{
    size_t n = overlap(t), at = 0, got = 1;
    _cleanup_free_ char *theirs = xmalloc(n), *ours = xmalloc(n);

    while (at < n && got) {
        TRY(channel_read(ch, theirs + at, n - at, &got));
        at += got;
    }
    if (at < n)
        return error_text("Lost connection to the server.");
    if (pread(l->fd, ours, n, (off_t)(t->offset - (int64_t)n)) != (ssize_t)n ||
        memcmp(theirs, ours, n) != 0)
        return error_text("what is in %s is not the beginning of this disk", t->file);
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
        TRY(http_send_head(ch, t->upload ? "PUT" : "GET", at, host,
                           t->upload ? length_to_send(t, l) : -1,
                           t->upload ? 0 : t->offset - (int64_t)overlap(t)));
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
    bool part = t->offset && !t->upload;

    TRY(request(c, t, l, p, &ch, &a));
    if (part && a.status == 200 && t->offset > (int64_t)overlap(t))
        return error_text("the server cannot go on in the middle of a disk");
    if (part && (a.status == 200 || a.status == 206))
        TRY(compare_end(t, l, ch));
    *ret_status = a.status;
    if (a.status != 200 && a.status != 206)
        return NULL;
    bar_init(&progress->bar, mono_us());
    if (part && a.length >= 0)
        a.length -= (int64_t)overlap(t);
    return t->upload ? send_file(t, l, ch, progress) : receive_file(t, l, ch, a.length, progress);
}

struct error *terminal_move(struct front *f, struct client *c, const struct transfer *t,
                            const struct front_place *p, struct front_moved *ret)
{
    struct terminal *me = container_of(f, struct terminal, front);
    struct local l;

    free(me->made);
    me->made = NULL;
    TRY(open_local(t, &l));
    _cleanup_close_ int fd = l.fd;

    if (!t->upload && *t->file && !t->offset)
        me->made = xstrdup(t->file);
    struct progress progress = {.front = f, .percent = -1};
    struct error *e = exchange(c, t, &l, p, &progress, &ret->status);

    ret->done = progress.done;
    if (ret->status == 200 || ret->status == 206)
        show_end(t, &progress);
    return e;
}
