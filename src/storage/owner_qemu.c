/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owners made of QEMU's block layer: commands on a chain, the NBD server. */

#include "storage/owner_qemu.h"

#include "base/io.h"
#include "storage/tune.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

void qemu_process_init(struct qemu_process *p, char *nbd_path)
{
    *p = (struct qemu_process){.nbd_path = nbd_path};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->unused, NULL);
}

void qemu_process_fini(struct qemu_process *p)
{
    qemu_process_set_qmp(p, NULL);
    pthread_cond_destroy(&p->unused);
    pthread_mutex_destroy(&p->lock);
    free(p->nbd_path);
}

void qemu_process_set_qmp(struct qemu_process *p, struct qmp *q)
{
    pthread_mutex_lock(&p->lock);
    p->qmp = NULL;
    while (p->users > 0)
        pthread_cond_wait(&p->unused, &p->lock);
    p->qmp = q;
    pthread_mutex_unlock(&p->lock);
}

struct error *qemu_process_enter(struct qemu_process *p, struct qmp **ret)
{
    struct error *e = NULL;

    pthread_mutex_lock(&p->lock);
    if (p->qmp) {
        p->users++;
        *ret = p->qmp;
    } else {
        e = error_errno(ENOTCONN, "the process that has the disk open is not reachable");
    }
    pthread_mutex_unlock(&p->lock);
    return e;
}

void qemu_process_leave(struct qemu_process *p)
{
    pthread_mutex_lock(&p->lock);
    if (--p->users == 0)
        pthread_cond_broadcast(&p->unused);
    pthread_mutex_unlock(&p->lock);
}

static struct qemu_process *process_of(struct owner *o)
{
    return container_of(o, struct qemu_owner, o)->process;
}

/* Runs `expr`, which uses q, with the owner's connection. */
#define WITH_QMP(owner, expr)                                                                      \
    ({                                                                                             \
        struct qmp *q = NULL;                                                                      \
        struct error *with_ = qemu_process_enter(process_of(owner), &q);                           \
        if (!with_) {                                                                              \
            with_ = (expr);                                                                        \
            qemu_process_leave(process_of(owner));                                                 \
        }                                                                                          \
        with_;                                                                                     \
    })

bool qemu_owner_alive(struct owner *o)
{
    struct qmp *q = NULL;
    struct error *e = qemu_process_enter(process_of(o), &q);

    if (e) {
        error_free(e);
        return false;
    }
    bool alive = qmp_is_open(q);
    qemu_process_leave(process_of(o));
    return alive;
}

struct error *qemu_overlay_open(struct owner *o, const struct node *n)
{
    char path[PATH_MAX];

    TRY(o->sr->image_path(o->place, n, path));
    return WITH_QMP(o, graph_open(q, n, path, false, !o->writable));
}

struct error *qemu_overlay_switch(struct owner *o, const struct node *n)
{
    return WITH_QMP(o, graph_snapshot(q, o->top, n));
}

void qemu_node_close(struct owner *o, const struct node *n)
{
    IGNORE_ERROR(WITH_QMP(o, graph_close(q, n)));
}

struct error *qemu_commit(struct owner *o, const struct owner_commit *c)
{
    return WITH_QMP(o, graph_commit(q, c, o->top));
}

struct error *qemu_resize(struct owner *o, int64_t size)
{
    return WITH_QMP(o, graph_resize(q, o->top, size));
}

struct error *qemu_export_add(struct owner *o, const char *name, bool writable)
{
    return WITH_QMP(o, graph_export(q, o->top, name, writable));
}

void qemu_export_remove(struct owner *o, const char *name)
{
    IGNORE_ERROR(WITH_QMP(o, graph_unexport(q, name)));
}

/* A predecessor of this program started it; clients of that time go on. */
static bool serves_already(const struct qemu_process *p)
{
    _cleanup_close_ int fd = -1;
    struct error *e = io_connect_unix(p->nbd_path, SOCK_STREAM, &fd);
    bool serves = !e;

    error_free(e);
    return serves;
}

/* The socket is made here and passed: the process may be another user's. */
static struct error *start_nbd(struct qemu_process *p, struct qmp *q)
{
    _cleanup_close_ int fd = -1;

    if (serves_already(p)) {
        p->nbd_started = true;
        return NULL;
    }
    /* One whose socket is gone serves nobody who comes. */
    IGNORE_ERROR(qmp_run(q, "nbd-server-stop", NULL, QMP_TIMEOUT_US, NULL));
    TRY(io_listen_unix(p->nbd_path, SOCK_STREAM, 0600, &fd));
    TRY(io_set_nonblock(fd, true));
    TRY(qmp_run_fd(q, "getfd", json_pack("{s:s}", "fdname", "xenolith-nbd"), fd, QMP_TIMEOUT_US,
                   NULL));
    struct error *e = qmp_run(
        q, "nbd-server-start",
        json_pack("{s:{s:s, s:{s:s}}}", "addr", "type", "fd", "data", "str", "xenolith-nbd"),
        QMP_TIMEOUT_US, NULL);
    if (e)
        return e;
    p->nbd_started = true;
    return NULL;
}

struct error *qemu_nbd_ready(struct qemu_process *p)
{
    struct qmp *q = NULL;
    struct error *e = NULL;

    TRY(qemu_process_enter(p, &q));
    pthread_mutex_lock(&p->lock);
    if (!p->nbd_started)
        e = start_nbd(p, q);
    pthread_mutex_unlock(&p->lock);
    qemu_process_leave(p);
    return e;
}

struct error *qemu_connect(struct owner *o, int *ret_fd)
{
    return io_connect_unix(process_of(o)->nbd_path, SOCK_STREAM, ret_fd);
}
