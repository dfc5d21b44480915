/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client: a reader thread for all connections, callers that wait on their own answer.
 * Lock order: loop->lock, then qmp->lock. Callbacks run with neither held.
 */

#include "hv/qmp.h"

#include "base/wait.h"
#include "base/world.h"
#include "value/json.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct qmp_loop {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* the thread left a connection */
    int epoll_fd;
    int wake_fd;
    struct qmp *serving; /* connection the thread is working on */
    struct list connections;
    bool stop;
};

/* One command under way. */
struct qmp_call {
    struct list link;
    uint64_t id;
    char *command;
    json_t *reply; /* the whole message, NULL while waiting */
};

struct qmp {
    struct list link; /* loop->connections */
    struct qmp_loop *loop;
    int fd;
    struct qmp_listener first;
    struct list listeners; /* under loop->lock while adding and removing */
    struct str in;         /* reader thread only */
    size_t scanned;
    bool greeted; /* under lock, as the rest */
    bool broken;
    pthread_mutex_t lock;
    pthread_mutex_t write_lock; /* one message at a time on the socket */
    pthread_cond_t answered;
    struct list calls;
    uint64_t next_id;
};

static void call_free(struct qmp_call *c)
{
    list_remove(&c->link);
    json_decref(c->reply);
    free(c->command);
    free(c);
}

static struct qmp_call *call_find(struct qmp *q, uint64_t id)
{
    struct qmp_call *c;

    list_foreach (c, &q->calls, link) {
        if (c->id == id)
            return c;
    }
    return NULL;
}

/* ---- the reading side ---- */

/* Only the reader thread walks the list, and whoever changes it waits until the reader is not
 * serving this connection; so callbacks run without a lock. */
static void tell(struct qmp *q, const char *event, json_t *data, int64_t time_us)
{
    struct qmp_listener *l;

    list_foreach (l, &q->listeners, link) {
        if (l->fn)
            l->fn(l->arg, event, data, time_us);
    }
}

/* The message is handed over whole: two threads must not count references of one object. */
static void on_reply(struct qmp *q, json_t **message)
{
    const json_t *id = json_object_get(*message, "id");

    pthread_mutex_lock(&q->lock);
    if (json_is_integer(id)) {
        struct qmp_call *c = call_find(q, (uint64_t)json_integer_value(id));
        if (c && !c->reply)
            c->reply = TAKE_PTR(*message);
    }
    pthread_cond_broadcast(&q->answered);
    pthread_mutex_unlock(&q->lock);
}

static void on_event(struct qmp *q, const json_t *message)
{
    const char *name = json_string_value(json_object_get(message, "event"));
    const json_t *stamp = json_object_get(message, "timestamp");
    int64_t us = json_integer_value(json_object_get(stamp, "seconds")) * SECOND_US +
                 json_integer_value(json_object_get(stamp, "microseconds"));

    if (name)
        tell(q, name, json_object_get(message, "data"), us);
}

static bool on_line(struct qmp *q, const char *line, size_t len)
{
    _cleanup_json_ json_t *m = json_loadb(line, len, 0, NULL);

    if (!json_is_object(m))
        return false;
    if (json_object_get(m, "event")) {
        on_event(q, m);
    } else if (json_object_get(m, "QMP")) {
        pthread_mutex_lock(&q->lock);
        q->greeted = true;
        pthread_cond_broadcast(&q->answered);
        pthread_mutex_unlock(&q->lock);
    } else {
        on_reply(q, &m);
    }
    return true;
}

/* Handles every complete line of the buffer; false = not QMP. */
static bool consume(struct qmp *q)
{
    size_t start = 0;

    for (;;) {
        char *nl = q->in.len > q->scanned
                       ? memchr(q->in.s + q->scanned, '\n', q->in.len - q->scanned)
                       : NULL;
        if (!nl)
            break;
        size_t end = (size_t)(nl - q->in.s);
        if (!on_line(q, q->in.s + start, end - start))
            return false;
        start = q->scanned = end + 1;
    }
    memmove(q->in.s, q->in.s + start, q->in.len - start);
    q->in.len -= start;
    q->scanned = q->in.len;
    return q->in.len <= QMP_LINE_MAX;
}

static void mark_broken(struct qmp *q)
{
    pthread_mutex_lock(&q->lock);
    bool first = !q->broken;
    q->broken = true;
    pthread_cond_broadcast(&q->answered);
    pthread_mutex_unlock(&q->lock);
    if (!first)
        return;
    epoll_ctl(q->loop->epoll_fd, EPOLL_CTL_DEL, q->fd, NULL);
    tell(q, NULL, NULL, now_us());
}

static void serve(struct qmp *q)
{
    str_reserve(&q->in, 65536);
    ssize_t n = recv(q->fd, q->in.s + q->in.len, 65536, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        mark_broken(q);
        return;
    }
    q->in.len += (size_t)n;
    if (!consume(q))
        mark_broken(q);
}

/* The connection of an epoll answer may have been closed since: only a listed one is served. */
static struct qmp *claim(struct qmp_loop *l, const void *ptr)
{
    struct qmp *q;
    struct qmp *found = NULL;

    pthread_mutex_lock(&l->lock);
    list_foreach (q, &l->connections, link) {
        if (q == ptr)
            found = q;
    }
    l->serving = found;
    pthread_mutex_unlock(&l->lock);
    return found;
}

static void release(struct qmp_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->serving = NULL;
    pthread_cond_broadcast(&l->idle);
    pthread_mutex_unlock(&l->lock);
}

static void *loop_main(void *arg)
{
    struct qmp_loop *l = arg;
    struct epoll_event ev[32];

    for (;;) {
        int n = epoll_wait(l->epoll_fd, ev, ARRAY_SIZE(ev), -1);
        for (int i = 0; i < n; i++) {
            if (!ev[i].data.ptr)
                return NULL;
            struct qmp *q = claim(l, ev[i].data.ptr);
            if (!q)
                continue;
            serve(q);
            release(l);
        }
    }
}

/* Signals are for the program's main thread. */
static bool start_thread(struct qmp_loop *l)
{
    sigset_t all;
    sigset_t old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&l->thread, NULL, loop_main, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r == 0;
}

struct qmp_loop *qmp_loop_start(void)
{
    struct qmp_loop *l = xnew(struct qmp_loop);
    struct epoll_event ev = {.events = EPOLLIN};

    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->idle, NULL);
    list_init(&l->connections);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epoll_fd < 0 || l->wake_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev) < 0 || !start_thread(l))
        abort(); /* out of descriptors or threads at start: as out of memory */
    return l;
}

void qmp_loop_stop(struct qmp_loop *l)
{
    uint64_t one = 1;

    if (!l)
        return;
    assert(list_empty(&l->connections));
    if (TEMP_FAILURE_RETRY(write(l->wake_fd, &one, sizeof(one))) < 0)
        abort();
    pthread_join(l->thread, NULL);
    close(l->wake_fd);
    close(l->epoll_fd);
    pthread_cond_destroy(&l->idle);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- the asking side ---- */

static struct error *gone(const struct qmp *q)
{
    return error_errno(ECONNRESET, "QMP connection lost");
}

static struct error *wait_greeting(struct qmp *q, int64_t timeout_us)
{
    int64_t end = mono_us() + timeout_us;
    struct error *e = NULL;

    pthread_mutex_lock(&q->lock);
    while (!q->greeted && !e) {
        if (q->broken)
            e = error_errno(EPROTO, "no QMP greeting");
        else if (!cond_wait_until(&q->answered, &q->lock, end) && !q->greeted)
            e = error_errno(ETIMEDOUT, "no QMP greeting");
    }
    pthread_mutex_unlock(&q->lock);
    return e;
}

static struct qmp *qmp_new(struct qmp_loop *l, int fd, qmp_event_fn *fn, void *arg)
{
    struct qmp *q = xnew(struct qmp);

    q->loop = l;
    q->fd = fd;
    list_init(&q->listeners);
    q->first = (struct qmp_listener){.fn = fn, .arg = arg};
    list_append(&q->listeners, &q->first.link);
    q->next_id = 1;
    list_init(&q->calls);
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_init(&q->write_lock, NULL);
    pthread_cond_init(&q->answered, NULL);
    pthread_mutex_lock(&l->lock);
    list_append(&l->connections, &q->link);
    pthread_mutex_unlock(&l->lock);
    return q;
}

struct error *qmp_open(struct qmp_loop *l, int fd, int64_t timeout_us, qmp_event_fn *fn, void *arg,
                       struct qmp **ret)
{
    _cleanup_qmp_ struct qmp *q = qmp_new(l, fd, fn, arg);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = q};

    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        return error_errno(errno, "cannot watch a QMP socket");
    TRY(wait_greeting(q, timeout_us));
    TRY(qmp_run(q, "qmp_capabilities", NULL, timeout_us, NULL));
    *ret = TAKE_PTR(q);
    return NULL;
}

/* Leaves loop->lock taken. */
static void lock_unserved(struct qmp_loop *l, const struct qmp *q)
{
    assert(!pthread_equal(pthread_self(), l->thread));
    pthread_mutex_lock(&l->lock);
    while (l->serving == q)
        pthread_cond_wait(&l->idle, &l->lock);
}

void qmp_listen(struct qmp *q, struct qmp_listener *l)
{
    lock_unserved(q->loop, q);
    list_append(&q->listeners, &l->link);
    pthread_mutex_unlock(&q->loop->lock);
}

void qmp_unlisten(struct qmp *q, struct qmp_listener *l)
{
    lock_unserved(q->loop, q);
    list_remove(&l->link);
    pthread_mutex_unlock(&q->loop->lock);
}

void qmp_close(struct qmp *q)
{
    struct qmp_call *c;

    if (!q)
        return;
    struct qmp_loop *l = q->loop;
    lock_unserved(l, q);
    list_remove(&q->link);
    pthread_mutex_unlock(&l->lock);
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, q->fd, NULL);
    close(q->fd);
    list_foreach (c, &q->calls, link)
        call_free(c);
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->write_lock);
    str_fini(&q->in);
    free(q);
}

bool qmp_is_open(struct qmp *q)
{
    pthread_mutex_lock(&q->lock);
    bool open = !q->broken;
    pthread_mutex_unlock(&q->lock);
    return open;
}

/* As io_write_all, without the signal a closed peer would raise. */
static struct error *send_all(struct qmp *q, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t w = send(q->fd, s, n, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return error_errno(errno == EPIPE ? ECONNRESET : errno, "cannot write to QMP");
        s += w;
        n -= (size_t)w;
    }
    return NULL;
}

/* The first byte carries the descriptor, as the kernel wants it. */
static struct error *send_with_fd(struct qmp *q, const char *s, size_t n, int fd)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)s, .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    if (TEMP_FAILURE_RETRY(sendmsg(q->fd, &m, MSG_NOSIGNAL)) != 1)
        return error_errno(errno, "cannot pass a descriptor over QMP");
    return send_all(q, s + 1, n - 1);
}

static uint64_t add_call(struct qmp *q, const char *command)
{
    struct qmp_call *c = xnew(struct qmp_call);

    c->command = xstrdup(command);
    pthread_mutex_lock(&q->lock);
    c->id = q->next_id++;
    list_append(&q->calls, &c->link);
    pthread_mutex_unlock(&q->lock);
    return c->id;
}

static void drop_call(struct qmp *q, uint64_t id)
{
    pthread_mutex_lock(&q->lock);
    struct qmp_call *c = call_find(q, id);
    if (c)
        call_free(c);
    pthread_mutex_unlock(&q->lock);
}

static struct error *send_command(struct qmp *q, const char *command, json_t *args, int fd,
                                  uint64_t *ret_id)
{
    uint64_t id = add_call(q, command);
    _cleanup_json_ json_t *m =
        json_pack("{s:s, s:I, s:o*}", "execute", command, "id", (json_int_t)id, "arguments", args);
    _cleanup_free_ char *text = m ? json_dumps(m, JSON_COMPACT) : NULL;
    struct error *e;

    assert(text); /* arguments are ours: always valid UTF-8 */
    size_t len = strlen(text);
    text[len++] = '\n'; /* in place of the terminator */
    pthread_mutex_lock(&q->write_lock);
    if (!qmp_is_open(q))
        e = gone(q);
    else if (fd >= 0)
        e = send_with_fd(q, text, len, fd);
    else
        e = send_all(q, text, len);
    pthread_mutex_unlock(&q->write_lock);
    if (e) {
        drop_call(q, id);
        return error_prepend(e, "%s", command);
    }
    *ret_id = id;
    return NULL;
}

static struct error *from_qmp_error(const char *command, const json_t *err)
{
    const char *class = json_string_value(json_object_get(err, "class"));
    const char *desc = json_string_value(json_object_get(err, "desc"));
    int num = 0;

    if (class && streq(class, "DeviceNotFound"))
        num = ENODEV;
    else if (class && streq(class, "CommandNotFound"))
        num = ENOSYS;
    else if (desc && strstr(desc, "No space left on device"))
        num = ENOSPC;
    return error_errno(num, "%s: %s", command, desc ? desc : "failed without a reason");
}

struct error *qmp_send(struct qmp *q, const char *command, json_t *args, uint64_t *ret_id)
{
    return send_command(q, command, args, -1, ret_id);
}

struct error *qmp_wait(struct qmp *q, uint64_t id, int64_t timeout_us, json_t **ret)
{
    int64_t end = mono_us() + timeout_us;
    struct error *e = NULL;

    pthread_mutex_lock(&q->lock);
    struct qmp_call *c = call_find(q, id);
    assert(c);
    while (!c->reply && !e) {
        if (q->broken)
            e = gone(q);
        else if (!cond_wait_until(&q->answered, &q->lock, end) && !c->reply)
            e = error_errno(ETIMEDOUT, "no answer");
    }
    if (e)
        e = error_prepend(e, "%s", c->command);
    else if (json_object_get(c->reply, "error"))
        e = from_qmp_error(c->command, json_object_get(c->reply, "error"));
    else if (ret)
        *ret = json_incref(json_object_get(c->reply, "return"));
    call_free(c);
    pthread_mutex_unlock(&q->lock);
    return e;
}

struct error *qmp_run(struct qmp *q, const char *command, json_t *args, int64_t timeout_us,
                      json_t **ret)
{
    return qmp_run_fd(q, command, args, -1, timeout_us, ret);
}

struct error *qmp_run_fd(struct qmp *q, const char *command, json_t *args, int fd,
                         int64_t timeout_us, json_t **ret)
{
    uint64_t id;

    TRY(send_command(q, command, args, fd, &id));
    return qmp_wait(q, id, timeout_us, ret);
}
