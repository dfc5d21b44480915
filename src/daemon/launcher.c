/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/launcher.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/programs.h"
#include "base/spawn.h"
#include "daemon/take_over.h"
#include "gen/errors.h"
#include "proto/frame.h"
#include "sandbox/child.h"
#include "sandbox/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ENV       "XENOLITH_LAUNCHER"
#define NAME      "xenolithd-launcher"
#define FD        3
#define FD_TEXT   "3"
#define OURSELVES "/proc/self/exe"

/* All that can be asked for. The answer is empty, or why not. */
#define RUN_PATH      "path"
#define RUN_OURSELVES "ourselves"
#define END           "end"
#define RUN_CLI       "cli"
#define BUSY          "busy"
#define CLI_MAX       32

struct launcher {
    pthread_mutex_t lock; /* rank: leaf; a question and its answer */
    int fd;
    char *program_id;
};

/* Handed down from program to program, besides what every child gets. */
static void add_env(struct spawn *s)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "XENOLITH_SANDBOX"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *v = getenv(names[i]);

        if (v)
            spawn_env(s, names[i], v);
    }
}

static void prepare(struct spawn *s, const char *file, const char *env, int fd)
{
    s->file = file;
    s->session = true;
    s->stdout_fd = STDOUT_FILENO;
    s->stderr_fd = STDERR_FILENO;
    spawn_env(s, env, FD_TEXT);
    add_env(s);
    spawn_pass_fd(s, fd, FD);
}

/* The launcher: argv is its name, "--", the path of the program, the program's arguments. */

static struct error *run_program(char **argv, bool ourselves, int channel, pid_t *ret_pid)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, argv[3]);
    prepare(&s, ourselves ? OURSELVES : argv[2], TAKE_OVER_ENV, channel);
    for (char **arg = argv + 4; *arg; arg++)
        spawn_add(&s, *arg);
    return spawn_start(&s, ret_pid);
}

/* Of thin clients. Their ends are noticed when the next one comes. */
struct workers_list {
    pid_t pid[CLI_MAX];
};

static pid_t *free_place(struct workers_list *w)
{
    pid_t *place = NULL;

    for (size_t i = 0; i < CLI_MAX; i++) {
        if (w->pid[i] > 0 && waitpid(w->pid[i], NULL, WNOHANG) == w->pid[i])
            w->pid[i] = 0;
        if (!w->pid[i])
            place = &w->pid[i];
    }
    return place;
}

static struct error *run_cli(struct workers_list *w, const int fds[2])
{
    struct child_confine confine = {0};
    pid_t *place = free_place(w);
    _cleanup_spawn_ struct spawn s;
    char program[PATH_MAX];

    if (!place)
        return error_text(BUSY);
    program_find("../cli/xenolith-cli", XENOLITH_LIBEXEC "/xenolith-cli", program);
    child_allow(&confine, program, LANDLOCK_RUN);
    if (!syscalls_can_limit()) /* a sanitizer looks there for leaks */
        child_allow(&confine, "/proc", LANDLOCK_READ);
    spawn_init(&s, program);
    s.session = true;
    s.stderr_fd = STDERR_FILENO;
    s.confine = child_confine;
    s.confine_arg = &confine;
    add_env(&s);
    spawn_pass_fd(&s, fds[0], FD);
    spawn_pass_fd(&s, fds[1], FD + 1);
    return spawn_start(&s, place);
}

static struct error *serve_one(char **argv, struct workers_list *w, pid_t *pid)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    struct error *e = NULL;

    TRY(frame_recv(FD, sizeof(RUN_OURSELVES), &f));
    const char *what = str_cstr(&f.text);
    bool ourselves = streq(what, RUN_OURSELVES);

    if ((ourselves || streq(what, RUN_PATH)) && f.n_fds == 1) {
        e = run_program(argv, ourselves, f.fds[0], pid);
    } else if (streq(what, RUN_CLI) && f.n_fds == 2) {
        e = run_cli(w, f.fds);
    } else if (streq(what, END) && *pid > 0) {
        kill(*pid, SIGKILL);
        (void)TEMP_FAILURE_RETRY(waitpid(*pid, NULL, 0));
        *pid = 0;
    }
    _cleanup_free_ char *why = e ? error_string(e) : xstrdup("");

    error_free(e);
    return frame_send(FD, why, strlen(why), NULL, 0);
}

void launcher_main(int argc, char **argv)
{
    struct workers_list workers = {0};
    struct error *e = NULL;
    pid_t pid = 0;

    if (!getenv(ENV) || argc < 4 || !streq(argv[0], NAME))
        return;
    unsetenv(ENV);
    fcntl(FD, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    while (!e)
        e = serve_one(argv, &workers, &pid);
    error_free(e); /* the end of the program */
    exit(0);
}

/* The program. */

static struct error *know_program(char path[4096], char **ret_id)
{
    ssize_t n = readlink(OURSELVES, path, 4095);
    struct stat st;

    if (n <= 0 || stat(OURSELVES, &st) < 0)
        return error_errno(errno, "cannot find this program");
    path[n] = 0;
    *ret_id =
        xasprintf("%llu:%llu:%lld.%09ld", (unsigned long long)st.st_dev,
                  (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return NULL;
}

static struct error *spawn_launcher(int argc, char **argv, const char *path, int fd)
{
    _cleanup_spawn_ struct spawn s;
    pid_t pid;

    spawn_init(&s, NAME);
    prepare(&s, OURSELVES, ENV, fd);
    spawn_add(&s, "--");
    spawn_add(&s, path);
    for (int i = 0; i < argc; i++)
        spawn_add(&s, argv[i]);
    return spawn_start(&s, &pid); /* it ends after us: nobody needs to wait for it */
}

struct error *launcher_start(int argc, char **argv, struct launcher **ret)
{
    _cleanup_free_ char *id = NULL;
    char path[4096];
    int pair[2];

    TRY(know_program(path, &id));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    struct error *e = spawn_launcher(argc, argv, path, pair[1]);

    close(pair[1]);
    if (e) {
        close(pair[0]);
        return e;
    }
    struct launcher *l = xnew(struct launcher);

    *l = (struct launcher){.fd = pair[0], .program_id = TAKE_PTR(id)};
    pthread_mutex_init(&l->lock, NULL);
    *ret = l;
    return NULL;
}

void launcher_free(struct launcher *l)
{
    if (!l)
        return;
    cleanup_close(&l->fd);
    pthread_mutex_destroy(&l->lock);
    free(l->program_id);
    free(l);
}

const char *launcher_program_id(const struct launcher *l)
{
    return l->program_id;
}

static struct error *ask(struct launcher *l, const char *text, const int *fds, size_t n)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;

    pthread_mutex_lock(&l->lock);
    struct error *e = frame_send(l->fd, text, strlen(text), fds, n);

    if (!e)
        e = frame_recv(l->fd, FRAME_MAX_CALL, &f);
    pthread_mutex_unlock(&l->lock);
    TRY(e);
    if (streq(str_cstr(&f.text), BUSY))
        return err_too_many_pending_tasks();
    return f.text.len ? error_text("%s", str_cstr(&f.text)) : NULL;
}

struct error *launcher_cli(struct launcher *l, const int fds[2])
{
    return ask(l, RUN_CLI, fds, 2);
}

struct error *launcher_run(struct launcher *l, bool ourselves, int channel)
{
    return ask(l, ourselves ? RUN_OURSELVES : RUN_PATH, &channel, 1);
}

void launcher_end(struct launcher *l)
{
    log_and_free(LOG_WARNING, ask(l, END, NULL, 0), "cannot end the new program");
}
