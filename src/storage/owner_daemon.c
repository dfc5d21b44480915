/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A qemu-storage-daemon of ours that owns one chain. It gets its sockets by descriptor, already
 * connected or listening, so there is nothing to poll for. Its directory <run>/owner-<image>/ says
 * which process it is, for a successor of this one.
 */

#include "base/bounded_file.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "sandbox/child.h"
#include "storage/owner_qemu.h"
#include "storage/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define QUIT_TIMEOUT_US (5 * SECOND_US)
#define DIR_PREFIX      "owner-"

struct daemon_owner {
    struct qemu_owner q;
    struct qemu_process process;
    char *dir;
    pid_t pid;
};

static struct daemon_owner *daemon_of(struct owner *o)
{
    return container_of(container_of(o, struct qemu_owner, o), struct daemon_owner, q);
}

static char *in_dir(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = {"qmp", "nbd", "pid", "pid.tmp", "log", "kept"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = in_dir(dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Waits for the end of a process, which need not be our child. */
static bool await_end(pid_t pid, int64_t timeout_us)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return fd < 0 || TEMP_FAILURE_RETRY(poll(&p, 1, (int)(timeout_us / 1000))) == 1;
}

static void reap(pid_t pid)
{
    if (!await_end(pid, QUIT_TIMEOUT_US)) {
        kill(pid, SIGKILL);
        await_end(pid, QUIT_TIMEOUT_US);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void daemon_free(struct daemon_owner *d)
{
    struct qmp *q = d->process.qmp;

    qemu_process_set_qmp(&d->process, NULL);
    if (q)
        IGNORE_ERROR(qmp_run(q, "quit", NULL, QUIT_TIMEOUT_US, NULL));
    else if (d->pid > 0)
        kill(d->pid, SIGTERM);
    qmp_close(q);
    if (d->pid > 0)
        reap(d->pid);
    qemu_process_fini(&d->process);
    remove_dir(d->dir);
    free(d->dir);
    free(d);
}

static void daemon_stop(struct owner *o)
{
    daemon_free(daemon_of(o));
}

/* ---- start ---- */

static struct error *note_process(const struct daemon_owner *d)
{
    _cleanup_free_ char *path = in_dir(d->dir, "pid");
    _cleanup_free_ char *text = xasprintf("%d %llu\n", (int)d->pid, process_start_time(d->pid));

    return io_replace_file(path, text, strlen(text), 0600);
}

static void add_options(struct spawn *s)
{
    static const char *const options[] = {
        "--chardev",    "socket,id=own,fd=3",
        "--monitor",    "chardev=own",
        "--chardev",    "socket,id=next,fd=5,server=on,wait=off",
        "--monitor",    "chardev=next",
        "--nbd-server", "addr.type=fd,addr.str=4",
    };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        spawn_add(s, options[i]);
}

/* QMP goes over a socket pair. A connection that waits on a listening socket while QEMU 7.2 starts
 * is now and then never served (two of its threads race for it; once in 20,000 starts), so the
 * listening socket is only for a successor. */
static struct error *spawn_daemon(struct daemon_owner *d, const struct place_config *c, int own_fd)
{
    _cleanup_free_ char *next_path = in_dir(d->dir, "qmp");
    _cleanup_free_ char *log_path = in_dir(d->dir, "log");
    _cleanup_close_ int next_fd = -1;
    _cleanup_close_ int nbd_fd = -1;
    _cleanup_close_ int log_fd = -1;
    struct child_confine confine = {0};
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, c->storage->storage_daemon);
    child_allow(&confine, c->location, LANDLOCK_USE);
    s.confine = child_confine;
    s.confine_arg = &confine;
    s.session = true;
    TRY(bounded_file_make(log_path));
    log_fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log_fd < 0)
        return error_errno(errno, "cannot open %s", log_path);
    TRY(io_listen_unix(next_path, SOCK_STREAM, 0600, &next_fd));
    TRY(io_listen_unix(d->process.nbd_path, SOCK_STREAM, 0600, &nbd_fd));
    /* QEMU takes them as they are, and may call accept once more than there are connections: a
     * blocking socket then stops its main thread. */
    TRY(io_set_nonblock(next_fd, true));
    TRY(io_set_nonblock(nbd_fd, true));
    spawn_pass_fd(&s, own_fd, 3);
    spawn_pass_fd(&s, nbd_fd, 4);
    spawn_pass_fd(&s, next_fd, 5);
    add_options(&s);
    /* Else the C library maps and unmaps the buffer of each request. */
    spawn_env(&s, "MALLOC_MMAP_THRESHOLD_", STORAGE_DAEMON_KEEP);
    spawn_env(&s, "MALLOC_TRIM_THRESHOLD_", STORAGE_DAEMON_KEEP);
    s.stderr_fd = log_fd;
    TRY(spawn_start(&s, &d->pid));
    d->process.nbd_started = true;
    return note_process(d);
}

static struct error *spawn_connected(struct daemon_owner *d, const struct place_config *c)
{
    struct qmp *q = NULL;
    int sv[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
        return error_errno(errno, "cannot make a socket pair");
    _cleanup_close_ int ours = sv[0];
    struct error *e = spawn_daemon(d, c, sv[1]);
    close(sv[1]);
    TRY(e);
    e = qmp_open(c->storage->loop, TAKE_FD(ours), QMP_TIMEOUT_US, NULL, NULL, &q);
    if (e)
        return error_prepend(e, "the storage daemon did not start");
    qemu_process_set_qmp(&d->process, q);
    return NULL;
}

/* Opens the chain from its base upwards; images must be as large as their records say. */
static struct error *open_chain(struct daemon_owner *d, const struct sr_driver *sr, struct place *p,
                                const struct node *n, bool writable)
{
    struct qmp *q = d->process.qmp;
    char path[PATH_MAX];
    int64_t size;

    if (n->parent)
        TRY(open_chain(d, sr, p, n->parent, false));
    TRY(sr->image_path(p, n, path));
    TRY(graph_open(q, n, path, true, !writable));
    TRY(graph_size(q, n, &size));
    /* Sectors: a file of odd length ends in a partial one. */
    if ((size + 511) / 512 != (n->size + 511) / 512)
        return error_text("image %s has %lld bytes, not %lld", n->id.s, (long long)size,
                          (long long)n->size);
    return NULL;
}

static struct error *daemon_start(const struct place_config *c, const struct sr_driver *sr,
                                  struct place *p, const struct node *top, bool writable,
                                  struct owner **ret)
{
    struct daemon_owner *d = xnew(struct daemon_owner);

    d->dir = xasprintf("%s/" DIR_PREFIX "%s", c->storage->run_dir, graph_name('x', top).s + 1);
    d->q.process = &d->process;
    qemu_process_init(&d->process, in_dir(d->dir, "nbd"));
    struct error *e = io_mkdir_p(d->dir, 0700);
    if (!e)
        e = spawn_connected(d, c);
    if (!e)
        e = open_chain(d, sr, p, top, writable);
    if (e) {
        daemon_free(d);
        return e;
    }
    *ret = &d->q.o;
    return NULL;
}

/* ---- kept ones ---- */

#define KEPT_MAX 256

static struct error *daemon_keep(struct owner *o, const char *name)
{
    _cleanup_free_ char *path = in_dir(daemon_of(o)->dir, "kept");

    return io_replace_file(path, name, strlen(name), 0600);
}

static void daemon_leave(struct owner *o)
{
    struct daemon_owner *d = daemon_of(o);
    struct qmp *q = d->process.qmp;

    qemu_process_set_qmp(&d->process, NULL);
    qmp_close(q);
    qemu_process_fini(&d->process);
    free(d->dir);
    free(d);
}

/* The name it was kept under, "" = it was not. */
static void read_kept(const char *dir, struct str *ret)
{
    _cleanup_free_ char *path = in_dir(dir, "kept");

    IGNORE_ERROR(io_read_file(path, KEPT_MAX, ret));
}

static bool find_pid(const char *dir, pid_t *ret)
{
    _cleanup_free_ char *path = in_dir(dir, "pid");
    _cleanup_str_ struct str text = STR_INIT;
    int pid = 0;
    unsigned long long start = 0;

    IGNORE_ERROR(io_read_file(path, 128, &text));
    *ret = sscanf(str_cstr(&text), "%d %llu", &pid, &start) == 2 && pid > 1 &&
                   process_start_time(pid) == start
               ? pid
               : 0;
    return *ret != 0;
}

static struct error *adopt_dir(const struct place_config *c, const char *dir, struct owner **ret)
{
    _cleanup_free_ char *path = in_dir(dir, "qmp");
    struct qmp *q;
    pid_t pid;
    int fd;

    if (!find_pid(dir, &pid))
        return error_errno(ENOENT, "the storage daemon in %s has ended", dir);
    TRY(io_connect_unix(path, SOCK_STREAM, &fd));
    TRY(qmp_open(c->storage->loop, fd, QMP_TIMEOUT_US, NULL, NULL, &q));
    struct daemon_owner *d = xnew(struct daemon_owner);

    d->dir = xstrdup(dir);
    d->pid = pid;
    d->q.process = &d->process;
    qemu_process_init(&d->process, in_dir(dir, "nbd"));
    d->process.nbd_started = true;
    qemu_process_set_qmp(&d->process, q);
    *ret = &d->q.o;
    return NULL;
}

/* Calls fn for each directory of a daemon; a true answer ends the search. */
static bool each_dir(const char *run_dir, bool (*fn)(void *arg, const char *dir), void *arg)
{
    _cleanup_closedir_ DIR *d = opendir(run_dir);
    const struct dirent *entry;
    bool done = false;

    while (d && !done && (entry = readdir(d))) {
        if (!str_starts(entry->d_name, DIR_PREFIX))
            continue;
        _cleanup_free_ char *dir = in_dir(run_dir, entry->d_name);

        done = fn(arg, dir);
    }
    return done;
}

struct kept_search {
    const char *name;
    char *dir;
};

static bool is_kept_as(void *arg, const char *dir)
{
    struct kept_search *k = arg;
    _cleanup_str_ struct str name = STR_INIT;

    read_kept(dir, &name);
    if (!streq(str_cstr(&name), k->name))
        return false;
    k->dir = xstrdup(dir);
    return true;
}

static struct error *daemon_adopt(const struct place_config *c, const char *name,
                                  struct owner **ret)
{
    struct kept_search k = {.name = name};

    if (!each_dir(c->storage->run_dir, is_kept_as, &k))
        return error_errno(ENOENT, "no storage daemon was kept as %s", name);
    struct error *e = adopt_dir(c, k.dir, ret);

    free(k.dir);
    return e;
}

/* ---- a predecessor's daemons ---- */

/* One that was started but not noted any more: its QMP socket leads to it. */
static void end_unnoted(const char *dir, struct qmp_loop *loop)
{
    _cleanup_free_ char *path = in_dir(dir, "qmp");
    _cleanup_qmp_ struct qmp *q = NULL;
    int fd = -1;
    struct error *e = loop ? io_connect_unix(path, SOCK_STREAM, &fd) : NULL;

    if (!e && fd >= 0)
        e = qmp_open(loop, fd, QUIT_TIMEOUT_US, NULL, NULL, &q);
    if (!e && q)
        e = qmp_run(q, "quit", NULL, QUIT_TIMEOUT_US, NULL);
    error_free(e); /* nobody there: as it should be */
}

static void end_predecessor(const char *dir, struct qmp_loop *loop)
{
    pid_t pid;

    if (find_pid(dir, &pid)) {
        kill(pid, SIGTERM);
        if (!await_end(pid, QUIT_TIMEOUT_US)) {
            kill(pid, SIGKILL);
            await_end(pid, QUIT_TIMEOUT_US);
        }
    } else {
        end_unnoted(dir, loop);
    }
    remove_dir(dir);
}

static bool sweep(void *arg, const char *dir)
{
    _cleanup_str_ struct str name = STR_INIT;

    read_kept(dir, &name);
    if (!name.len)
        end_predecessor(dir, arg);
    return false;
}

void owner_daemon_sweep(const char *run_dir, struct qmp_loop *loop)
{
    each_dir(run_dir, sweep, loop);
}

struct kept_end {
    struct qmp_loop *loop;
    const char *prefix;
    void (*fn)(const char *name);
};

static bool end_kept(void *arg, const char *dir)
{
    const struct kept_end *k = arg;
    _cleanup_str_ struct str name = STR_INIT;

    read_kept(dir, &name);
    if (name.len && str_starts(str_cstr(&name), k->prefix)) {
        if (k->fn)
            k->fn(str_cstr(&name));
        end_predecessor(dir, k->loop);
    }
    return false;
}

void owner_daemon_end_kept(const char *run_dir, struct qmp_loop *loop, const char *prefix,
                           void (*fn)(const char *name))
{
    struct kept_end k = {.loop = loop, .prefix = prefix, .fn = fn};

    each_dir(run_dir, end_kept, &k);
}

const struct owner_driver owner_daemon_driver = {
    .start = daemon_start,
    .stop = daemon_stop,
    .alive = qemu_owner_alive,
    .overlay_open = qemu_overlay_open,
    .overlay_switch = qemu_overlay_switch,
    .node_close = qemu_node_close,
    .commit = qemu_commit,
    .resize = qemu_resize,
    .export_add = qemu_export_add,
    .export_remove = qemu_export_remove,
    .connect = qemu_connect,
    .keep = daemon_keep,
    .leave = daemon_leave,
    .adopt = daemon_adopt,
};
