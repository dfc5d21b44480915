/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A qemu-storage-daemon of ours that owns one chain. It gets its QMP and NBD sockets by descriptor,
 * already listening, so there is nothing to poll for. Its directory <run>/owner-<image>/ says which
 * process it is, for a successor of this one.
 */

#include "base/io.h"
#include "base/spawn.h"
#include "base/world.h"
#include "storage/owner_qemu.h"
#include "storage/tune.h"

#include <dirent.h>
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
    static const char *const names[] = {"qmp", "nbd", "pid", "log"};

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

    return fd < 0 || poll(&p, 1, (int)(timeout_us / 1000)) == 1;
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

    return io_write_file(path, text, strlen(text), 0600);
}

static struct error *spawn_daemon(struct daemon_owner *d, const char *program)
{
    _cleanup_free_ char *qmp_path = in_dir(d->dir, "qmp");
    _cleanup_free_ char *log_path = in_dir(d->dir, "log");
    _cleanup_close_ int qmp_fd = -1;
    _cleanup_close_ int nbd_fd = -1;
    _cleanup_close_ int log_fd =
        open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, program);
    TRY(io_listen_unix(qmp_path, SOCK_STREAM, 0600, &qmp_fd));
    TRY(io_listen_unix(d->process.nbd_path, SOCK_STREAM, 0600, &nbd_fd));
    /* QEMU takes them as they are, and may call accept once more than there are connections: a
     * blocking socket then stops its main thread. */
    TRY(io_set_nonblock(qmp_fd, true));
    TRY(io_set_nonblock(nbd_fd, true));
    spawn_pass_fd(&s, qmp_fd, 3);
    spawn_pass_fd(&s, nbd_fd, 4);
    spawn_add(&s, "--chardev");
    spawn_add(&s, "socket,id=qmp,fd=3,server=on,wait=off");
    spawn_add(&s, "--monitor");
    spawn_add(&s, "chardev=qmp");
    spawn_add(&s, "--nbd-server");
    spawn_add(&s, "addr.type=fd,addr.str=4");
    s.stderr_fd = log_fd;
    TRY(spawn_start(&s, &d->pid));
    d->process.nbd_started = true;
    return note_process(d);
}

static struct error *connect_qmp(struct daemon_owner *d, struct qmp_loop *loop)
{
    _cleanup_free_ char *path = in_dir(d->dir, "qmp");
    struct qmp *q = NULL;
    int fd = -1;

    TRY(io_connect_unix(path, SOCK_STREAM, &fd));
    struct error *e = qmp_open(loop, fd, QMP_TIMEOUT_US, NULL, NULL, &q);
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
        e = spawn_daemon(d, c->storage->storage_daemon);
    if (!e)
        e = connect_qmp(d, c->storage->loop);
    if (!e)
        e = open_chain(d, sr, p, top, writable);
    if (e) {
        daemon_free(d);
        return e;
    }
    *ret = &d->q.o;
    return NULL;
}

/* ---- a predecessor's daemons ---- */

static void end_predecessor(const char *dir)
{
    _cleanup_free_ char *path = in_dir(dir, "pid");
    _cleanup_str_ struct str text = STR_INIT;
    int pid = 0;
    unsigned long long start = 0;

    IGNORE_ERROR(io_read_file(path, 128, &text));
    if (sscanf(str_cstr(&text), "%d %llu", &pid, &start) == 2 && pid > 1 &&
        process_start_time(pid) == start) {
        kill(pid, SIGTERM);
        if (!await_end(pid, QUIT_TIMEOUT_US)) {
            kill(pid, SIGKILL);
            await_end(pid, QUIT_TIMEOUT_US);
        }
    }
    remove_dir(dir);
}

void owner_daemon_sweep(const char *run_dir)
{
    DIR *d = opendir(run_dir);
    const struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d))) {
        if (!str_starts(entry->d_name, DIR_PREFIX))
            continue;
        _cleanup_free_ char *dir = in_dir(run_dir, entry->d_name);
        end_predecessor(dir);
    }
    closedir(d);
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
};
