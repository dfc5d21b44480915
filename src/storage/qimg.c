/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img as a child program. */

#include "storage/qimg.h"

#include "base/spawn.h"
#include "base/world.h"
#include "sandbox/child.h"
#include "storage/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *const drivers[IMAGE_FORMAT_MAX] = {
    [IMAGE_QCOW2] = "qcow2",
    [IMAGE_RAW] = "raw",
    [IMAGE_VHD] = "vpc",
};

static const char *const create_options[IMAGE_FORMAT_MAX] = {
    [IMAGE_QCOW2] = QCOW2_CREATE_OPTIONS,
    [IMAGE_VHD] = "subformat=dynamic,force_size=on",
};

const char *qimg_driver(enum image_format format)
{
    return drivers[format];
}

/* qemu-img gives only text. */
static struct error *with_errno(struct error *e)
{
    if (e && strstr(e->detail, "No space left on device"))
        e->errnum = ENOSPC;
    else if (e && strstr(e->detail, "File too large"))
        e->errnum = EFBIG;
    return e;
}

static struct error *flush(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(errno, "cannot flush %s", path);
    return NULL;
}

/* One run of qemu-img, which reaches the directory it works in. */
struct run_of {
    struct spawn s;
    struct child_confine files;
    char *dir, *source_dir;
};

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? xasprintf("%.*s", (int)(slash - path), path) : xstrdup(".");
}

static void begin(struct run_of *r, const char *program, const char *command, const char *path)
{
    *r = (struct run_of){.dir = dir_of(path)};
    spawn_init(&r->s, program);
    spawn_add(&r->s, command);
    child_allow(&r->files, r->dir, LANDLOCK_CHANGE);
    r->s.confine = child_confine;
    r->s.confine_arg = &r->files;
}

static void run_of_fini(struct run_of *r)
{
    spawn_fini(&r->s);
    free(r->dir);
    free(r->source_dir);
}

static void add_format(struct spawn *s, enum image_format format)
{
    spawn_add(s, "-f");
    spawn_add(s, drivers[format]);
}

struct error *qimg_create(const char *program, const char *path, enum image_format format,
                          int64_t size)
{
    _cleanup_(run_of_fini) struct run_of r;

    begin(&r, program, "create", path);
    spawn_add(&r.s, "-q");
    add_format(&r.s, format);
    if (create_options[format]) {
        spawn_add(&r.s, "-o");
        spawn_add(&r.s, create_options[format]);
    }
    spawn_add(&r.s, path);
    spawn_addf(&r.s, "%lld", (long long)size);
    TRY(with_errno(spawn_run(&r.s, IMAGE_TIMEOUT_US, 0, NULL)));
    return flush(path);
}

struct error *qimg_resize(const char *program, const char *path, enum image_format format,
                          int64_t size)
{
    _cleanup_(run_of_fini) struct run_of r;

    begin(&r, program, "resize", path);
    spawn_add(&r.s, "-q");
    add_format(&r.s, format);
    spawn_add(&r.s, path);
    spawn_addf(&r.s, "%lld", (long long)size);
    TRY(with_errno(spawn_run(&r.s, IMAGE_TIMEOUT_US, 0, NULL)));
    return flush(path);
}

struct error *qimg_rebase(const char *program, const char *path, const char *parent,
                          enum image_format parent_format)
{
    _cleanup_(run_of_fini) struct run_of r;

    begin(&r, program, "rebase", path);
    spawn_add(&r.s, "-q");
    spawn_add(&r.s, "-u");
    add_format(&r.s, IMAGE_QCOW2);
    spawn_add(&r.s, "-b");
    spawn_add(&r.s, parent);
    spawn_add(&r.s, "-F");
    spawn_add(&r.s, drivers[parent_format]);
    spawn_add(&r.s, path);
    return with_errno(spawn_run(&r.s, IMAGE_TIMEOUT_US, 0, NULL));
}

/* ---- a long run with progress and cancelling ---- */

struct run {
    const struct image_progress *progress;
    int out; /* "    (12.34/100%)\r" again and again */
    int err;
    struct str text;
    struct str errors;
};

#define KEEP_TEXT 4096

static bool take_some(int fd, struct str *to)
{
    char buf[1024];
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n <= 0)
        return n < 0 && errno == EINTR;
    if (to->len > KEEP_TEXT)
        str_clear(to);
    str_add_mem(to, buf, (size_t)n);
    return true;
}

static void report(struct run *r)
{
    const char *open = strrchr(str_cstr(&r->text), '(');

    if (open && strchr(open, '%') && r->progress && r->progress->progress)
        r->progress->progress(r->progress->arg, strtod(open + 1, NULL) / 100);
}

static bool is_cancelled(const struct run *r)
{
    return r->progress && r->progress->cancelled && r->progress->cancelled(r->progress->arg);
}

/* Reads until the child has closed both pipes, that is until it has ended. */
static struct error *attend(struct run *r, pid_t pid)
{
    int64_t end = mono_us() + COPY_TIMEOUT_US;
    struct pollfd p[2] = {{.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};

    while (p[0].fd >= 0 || p[1].fd >= 0) {
        (void)TEMP_FAILURE_RETRY(poll(p, 2, 250));
        if (p[0].revents && !take_some(r->out, &r->text))
            p[0].fd = -1;
        if (p[1].revents && !take_some(r->err, &r->errors))
            p[1].fd = -1;
        report(r);
        if (is_cancelled(r) || mono_us() > end) {
            kill(-pid, SIGKILL);
            return error_errno(mono_us() > end ? ETIMEDOUT : ECANCELED, "copy stopped");
        }
    }
    return NULL;
}

static struct error *run_long(struct spawn *s, const struct image_progress *progress)
{
    int out[2];
    int err[2];
    pid_t pid;
    int status = 0;

    if (pipe2(out, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    _cleanup_close_ int out_r = out[0];
    _cleanup_close_ int out_w = out[1];
    if (pipe2(err, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    _cleanup_close_ int err_r = err[0];
    _cleanup_close_ int err_w = err[1];
    struct run r = {.progress = progress, .out = out_r, .err = err_r};

    s->stdout_fd = out_w;
    s->stderr_fd = err_w;
    TRY(spawn_start(s, &pid));
    cleanup_close(&out_w);
    cleanup_close(&err_w);
    struct error *e = attend(&r, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!e && status != 0)
        e = with_errno(error_text("qemu-img convert: %s", str_cstr(&r.errors)));
    str_fini(&r.text);
    str_fini(&r.errors);
    return e;
}

/* All images of a chain lie in one directory. */
static void allow_source(struct run_of *r, const json_t *source)
{
    const char *path =
        json_string_value(json_object_get(json_object_get(source, "file"), "filename"));

    r->source_dir = dir_of(path ? path : "");
    child_allow(&r->files, r->source_dir, LANDLOCK_READ);
}

struct error *qimg_convert(const char *program, const json_t *source, const char *path,
                           enum image_format format, const struct image_progress *progress)
{
    _cleanup_free_ char *json = json_dumps(source, JSON_COMPACT);
    _cleanup_(run_of_fini) struct run_of r;

    begin(&r, program, "convert", path);
    spawn_add(&r.s, "-p");
    spawn_add(&r.s, "-W"); /* writes out of order: no reader waits for a sequential image */
    spawn_add(&r.s, "-O");
    spawn_add(&r.s, drivers[format]);
    if (create_options[format]) {
        spawn_add(&r.s, "-o");
        spawn_add(&r.s, create_options[format]);
    }
    spawn_addf(&r.s, "json:%s", json);
    allow_source(&r, source);
    spawn_add(&r.s, path);
    TRY(run_long(&r.s, progress));
    return flush(path);
}
