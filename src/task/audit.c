/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task/audit.h"

#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

struct audit {
    char *dir;
    char host[256];
    pthread_rwlock_t lock; /* rank: leaf; written while the file is changed for another */
    int fd;
    atomic_bool failing;
    atomic_llong minute; /* of the latest stranger */
    atomic_uint strangers;
};

static char *path_of(const char *dir, int number)
{
    return number ? xasprintf("%s/audit.log.%d", dir, number) : xasprintf("%s/audit.log", dir);
}

static int open_current(const char *dir)
{
    _cleanup_free_ char *path = path_of(dir, 0);

    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

struct error *audit_new(const char *dir, struct audit **ret)
{
    TRY(io_mkdir_p(dir, 0700));
    _cleanup_close_ int fd = open_current(dir);

    if (fd < 0)
        return error_errno(errno, "cannot open %s/audit.log", dir);
    struct audit *a = xnew(struct audit);

    a->dir = xstrdup(dir);
    if (gethostname(a->host, sizeof(a->host) - 1) < 0)
        a->host[0] = 0;
    pthread_rwlock_init(&a->lock, NULL);
    a->fd = TAKE_FD(fd);
    *ret = a;
    return NULL;
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    close(a->fd);
    pthread_rwlock_destroy(&a->lock);
    free(a->dir);
    free(a);
}

/* ---- lines ---- */

/* One line stays one line, whatever is in a name. */
static void add_text(struct str *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < ' ' || c == 0x7f)
            str_printf(out, "\\x%02x", c);
        else if (c == '\'' || c == '\\')
            str_printf(out, "\\%c", c);
        else
            str_add_char(out, *s);
    }
}

static void add_quoted(struct str *out, const char *s)
{
    str_add_char(out, '\'');
    add_text(out, s);
    str_add_char(out, '\'');
}

void audit_add_arg(struct str *out, const char *name, const char *label, const char *uuid,
                   const char *ref)
{
    const char *const texts[] = {name, label, uuid, ref};

    str_add(out, out->len ? " (" : "(");
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (i)
            str_add_char(out, ' ');
        add_quoted(out, texts[i]);
    }
    str_add_char(out, ')');
}

static void add_time(struct str *out)
{
    int64_t us = now_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;

    gmtime_r(&s, &tm);
    str_printf(out, "%04d%02d%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us / 1000 % 1000));
}

static void add_line(const struct audit *a, const struct audit_record *r, struct str *out)
{
    str_add_char(out, '[');
    add_time(out);
    str_printf(out, "|audit|%s|%s|%s|audit] ('trackid=%016" PRIx64 "' ", a->host, r->call, r->task,
               *r->session ? hash_mem(r->session, strlen(r->session)) : 0);
    add_quoted(out, r->user);
    str_add(out, r->denied ? " 'DENIED' " : " 'ALLOWED' ");
    str_printf(out, r->failure ? "'ERROR:%s'" : "'OK'", r->failure);
    str_printf(out, " '%s' '%s' (", r->kind, r->call);
    str_add(out, r->args ? r->args : "");
    if (out->len > AUDIT_LINE_MAX - 8) {
        out->len = AUDIT_LINE_MAX - 8;
        str_add(out, "...");
    }
    str_add(out, "))\n");
}

/* ---- files ---- */

static void rename_older(const char *dir)
{
    for (int i = AUDIT_FILES - 1; i > 0; i--) {
        _cleanup_free_ char *from = path_of(dir, i - 1), *to = path_of(dir, i);

        if (rename(from, to) < 0 && errno != ENOENT)
            log_warning("cannot rename %s: %s", from, strerror(errno));
    }
}

static bool is_full(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size >= AUDIT_FILE_MAX;
}

/* Whoever finds the file full changes it, unless somebody, or another program, just has. */
static void change_file(struct audit *a)
{
    pthread_rwlock_wrlock(&a->lock);
    if (is_full(a->fd)) {
        int fd = open_current(a->dir);

        if (fd >= 0 && is_full(fd)) {
            close(fd);
            rename_older(a->dir);
            fd = open_current(a->dir);
        }
        if (fd >= 0) {
            close(a->fd);
            a->fd = fd;
        }
    }
    pthread_rwlock_unlock(&a->lock);
}

/* About right is good enough when two come at once. */
static bool is_one_too_many(struct audit *a)
{
    long long minute = mono_us() / (60 * SECOND_US);

    if (atomic_exchange(&a->minute, minute) != minute)
        atomic_store(&a->strangers, 0);
    return atomic_fetch_add(&a->strangers, 1) >= AUDIT_STRANGERS_PER_MINUTE;
}

void audit_write(struct audit *a, const struct audit_record *r)
{
    _cleanup_str_ struct str line = STR_INIT;

    if (!a || (r->stranger && is_one_too_many(a)))
        return;
    add_line(a, r, &line);
    pthread_rwlock_rdlock(&a->lock);
    ssize_t n = TEMP_FAILURE_RETRY(write(a->fd, line.s, line.len)); /* whole lines */
    int errnum = errno;
    bool full = is_full(a->fd);

    pthread_rwlock_unlock(&a->lock);
    bool failed = n != (ssize_t)line.len;

    if (failed && !atomic_exchange(&a->failing, true))
        log_error("cannot write to the audit log: %s", n < 0 ? strerror(errnum) : "no space");
    if (!failed)
        atomic_store(&a->failing, false);
    if (full)
        change_file(a);
}

size_t audit_open_all(const char *dir, int ret[AUDIT_FILES])
{
    size_t n = 0;

    for (int i = AUDIT_FILES - 1; i >= 0; i--) {
        _cleanup_free_ char *path = path_of(dir, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd >= 0)
            ret[n++] = fd;
    }
    return n;
}

bool audit_is_since(const char *line, size_t n, const char *since)
{
    size_t length = strlen(since);

    return n > length + 1 && line[0] == '[' && strncmp(line + 1, since, length) >= 0;
}
