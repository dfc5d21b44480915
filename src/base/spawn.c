/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spawn.h"

#include "base/io.h"
#include "base/world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STDERR_KEEP 4096

void spawn_init(struct spawn *s, const char *program)
{
    *s = (struct spawn){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    spawn_add(s, program);
}

void spawn_fini(struct spawn *s)
{
    vec_foreach (arg, &s->argv)
        free(*arg);
    vec_foreach (var, &s->env)
        free(*var);
    vec_fini(&s->argv);
    vec_fini(&s->env);
    vec_fini(&s->fds);
}

void spawn_add(struct spawn *s, const char *arg)
{
    vec_add(&s->argv, xstrdup(arg));
}

void spawn_addf(struct spawn *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vec_add(&s->argv, xvasprintf(fmt, ap));
    va_end(ap);
}

void spawn_env(struct spawn *s, const char *key, const char *value)
{
    vec_add(&s->env, xasprintf("%s=%s", key, value));
}

void spawn_pass_fd(struct spawn *s, int ours, int theirs)
{
    vec_add(&s->fds, (struct spawn_fd){.ours = ours, .theirs = theirs});
}

static void add_default_env(struct spawn *s)
{
    static const char *const keep[] = {
        "PATH",         "HOME",         "TMPDIR",       "LANG", "XDG_RUNTIME_DIR",
        "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"};

    for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
        const char *v = getenv(keep[i]);

        if (v)
            spawn_env(s, keep[i], v);
    }
    vec_add(&s->env, NULL);
    vec_add(&s->argv, NULL);
}

struct error *spawn_input(const char *text, size_t n, int *ret_fd)
{
    _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0)
        return error_errno(errno, "cannot make the input of a program");
    TRY(io_write_all(fd, text, n));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(errno, "cannot rewind the input of a program");
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

/*
 * dup2 onto the target clears close-on-exec. A source that equals a later target would be
 * overwritten, so every source is first moved above all targets.
 */
static struct error *lay_out_fds(const struct spawn *s, int moved[], posix_spawn_file_actions_t *fa)
{
    int top = STDERR_FILENO;

    for (size_t i = 0; i < s->fds.n; i++) {
        moved[i] = fcntl(s->fds.v[i].ours, F_DUPFD_CLOEXEC, 100);
        if (moved[i] < 0)
            return error_errno(errno, "cannot duplicate a descriptor for %s", s->argv.v[0]);
        posix_spawn_file_actions_adddup2(fa, moved[i], s->fds.v[i].theirs);
        top = MAX(top, s->fds.v[i].theirs);
    }
    /* Ours close themselves; whoever started us may have left others open. */
    posix_spawn_file_actions_addclosefrom_np(fa, top + 1);
    return NULL;
}

static int child_null(int given, int null)
{
    return given >= 0 ? given : null;
}

struct start {
    struct spawn *s;
    const posix_spawn_file_actions_t *fa;
    const posix_spawnattr_t *attr;
    pid_t pid;
    struct error *e;
};

static void *start_program(void *arg)
{
    struct start *st = arg;
    struct spawn *s = st->s;

    if (s->confine)
        st->e = s->confine(s->confine_arg);
    if (st->e)
        return NULL;
    const char *file = s->file ? s->file : s->argv.v[0];
    int r = posix_spawnp(&st->pid, file, st->fa, st->attr, s->argv.v, s->env.v);

    if (r)
        st->e = error_errno(r, "cannot start %s", s->argv.v[0]);
    return NULL;
}

static struct error *start_confined(struct start *st)
{
    pthread_t t;
    int r = pthread_create(&t, NULL, start_program, st);

    if (r)
        return error_errno(r, "cannot start a thread");
    pthread_join(t, NULL);
    return st->e;
}

struct error *spawn_start(struct spawn *s, pid_t *ret_pid)
{
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    _cleanup_free_ int *moved = xnew_array(int, s->fds.n + 1);
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, all;
    struct error *e;

    if (null < 0)
        return error_errno(errno, "cannot open /dev/null");
    for (size_t i = 0; i < s->fds.n; i++)
        moved[i] = -1;
    add_default_env(s);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    /* The leader of a session leads its process group already and may not be moved. */
    posix_spawnattr_setflags(&attr, (s->session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP) |
                                        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_adddup2(&fa, child_null(s->stdin_fd, null), 0);
    posix_spawn_file_actions_adddup2(&fa, child_null(s->stdout_fd, null), 1);
    posix_spawn_file_actions_adddup2(&fa, child_null(s->stderr_fd, null), 2);
    e = lay_out_fds(s, moved, &fa);
    struct start st = {.s = s, .fa = &fa, .attr = &attr};

    if (!e && s->confine) {
        e = start_confined(&st);
    } else if (!e) {
        start_program(&st);
        e = st.e;
    }
    if (!e)
        *ret_pid = st.pid;
    for (size_t i = 0; i < s->fds.n; i++)
        cleanup_close(&moved[i]);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return e;
}

struct capture {
    int fd;
    struct str *to;
    size_t max;
    bool keep_end; /* past max the beginning is dropped instead of the end */
};

static bool capture_some(struct capture *c)
{
    char buf[4096];
    ssize_t n = read(c->fd, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0)
        return false;
    if (c->to && (c->keep_end || c->to->len < c->max))
        str_add_mem(c->to, buf, (size_t)n);
    if (c->to && c->keep_end && c->to->len > c->max) {
        memmove(c->to->s, c->to->s + c->to->len - c->max, c->max + 1);
        c->to->len = c->max;
    }
    return true;
}

/* Reads both pipes and waits for the end of the child; false = time is up. */
static bool follow(int pidfd, struct capture *c, int64_t deadline)
{
    struct pollfd p[3] = {{.fd = c[0].fd, .events = POLLIN},
                          {.fd = c[1].fd, .events = POLLIN},
                          {.fd = pidfd, .events = POLLIN}};

    while (p[0].fd >= 0 || p[1].fd >= 0 || p[2].fd >= 0) {
        int64_t left = deadline - mono_us();

        if (left <= 0 || TEMP_FAILURE_RETRY(poll(p, 3, (int)MIN(left / 1000 + 1, 1000000))) == 0)
            if (mono_us() >= deadline)
                return false;
        for (int i = 0; i < 2; i++) {
            if (p[i].fd >= 0 && p[i].revents && !capture_some(&c[i]))
                p[i].fd = -1;
        }
        if (p[2].revents) {
            /* A grandchild may hold the pipes open: take what is there and stop. */
            for (int i = 0; i < 2; i++)
                while (p[i].fd >= 0 && TEMP_FAILURE_RETRY(poll(&p[i], 1, 0)) == 1 &&
                       capture_some(&c[i]))
                    ;
            return true;
        }
    }
    return true;
}

static struct error *exit_error(const struct spawn *s, int status, const struct str *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFEXITED(status))
        return error_text("%s ended with exit code %d: %s", s->argv.v[0], WEXITSTATUS(status),
                          str_cstr(err));
    return error_text("%s was killed by signal %d: %s", s->argv.v[0], WTERMSIG(status),
                      str_cstr(err));
}

struct error *spawn_run_status(struct spawn *s, int64_t timeout_us, size_t max, struct str *ret_out,
                               struct str *ret_err, int *ret_status)
{
    int out_pipe[2], err_pipe[2];
    pid_t pid = 0;

    if (pipe2(out_pipe, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    _cleanup_close_ int out_r = out_pipe[0], out_w = out_pipe[1];

    if (pipe2(err_pipe, O_CLOEXEC) < 0)
        return error_errno(errno, "cannot make a pipe");
    _cleanup_close_ int err_r = err_pipe[0], err_w = err_pipe[1];

    s->stdout_fd = out_w;
    s->stderr_fd = err_w;
    TRY(spawn_start(s, &pid));
    cleanup_close(&out_w);
    cleanup_close(&err_w);
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct capture c[2] = {{.fd = out_r, .to = ret_out, .max = max},
                           {.fd = err_r, .to = ret_err, .max = STDERR_KEEP, .keep_end = true}};
    bool in_time = follow(pidfd, c, mono_us() + timeout_us);
    int status = 0;

    if (!in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        return error_errno(ETIMEDOUT, "%s did not end in time", s->argv.v[0]);
    *ret_status = status;
    return NULL;
}

struct error *spawn_run(struct spawn *s, int64_t timeout_us, size_t max, struct str *ret_out)
{
    _cleanup_str_ struct str err = STR_INIT;
    int status;

    TRY(spawn_run_status(s, timeout_us, max, ret_out, &err, &status));
    return exit_error(s, status, &err);
}

unsigned long long process_start_time(pid_t pid)
{
    _cleanup_str_ struct str text = STR_INIT;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    struct error *e = io_read_file(path, 4096, &text);

    if (e) {
        error_free(e);
        return 0;
    }
    /* The name in parentheses may hold anything; fields count from behind its last one. */
    const char *p = strrchr(str_cstr(&text), ')');

    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p + 1, NULL, 10) : 0;
}
