/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two threads: the reader makes the connection and hands answers to the threads that wait for them;
 * the notifier runs callbacks, which may themselves wait for answers.
 *
 * h->lock guards everything but writing, which has a lock of its own, taken first (writers may
 * block on a full socket; the reader must not). The descriptor changes under both.
 */
#include "proto/client.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/list.h"
#include "base/log.h"
#include "base/wait.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS_MAX       10000
#define RETRY_MIN_US     20000ll
#define RETRY_MAX_US     1000000ll
#define SEND_TIMEOUT_S   10
#define HELLO_TIMEOUT_US (10 * SECOND_US)

/* One call under way; lives on the caller's stack. */
struct pending {
    struct list link;
    uint64_t id;
    bool done;
    struct error *failed; /* the connection was lost */
    struct frame answer;
    json_t *json;
    pthread_cond_t wake;
};

struct queued_event {
    struct list link;
    struct arena arena;
    struct host_event_rec event;
};

struct hostd {
    char *socket_path;
    char *version;
    struct hostd_config config;
    pthread_mutex_t lock;
    pthread_cond_t connected; /* fd became valid */
    pthread_cond_t notify;    /* events or connection news, or stopping */
    pthread_cond_t retry;     /* cuts the pause between attempts short: stopping */
    pthread_mutex_t write_lock;
    pthread_t reader, notifier;
    int fd; /* -1 = none; closed by the reader only, with both locks */
    bool stopping;
    bool cut; /* the threads have ended */
    uint64_t next_id;
    struct list pending;
    struct list events;
    size_t n_events;
    bool news; /* on_connect is due */
    uint64_t connections;
    struct arena hello_arena;
    struct host_hello_result hello;
};

/* ---- reading ---- */

/* Hands the whole message over: its memory is then used by one thread only. */
static void deliver_answer(struct hostd *h, struct frame *f, json_t **j)
{
    uint64_t id = (uint64_t)json_integer_value(json_object_get(*j, "id"));
    struct pending *p;

    list_foreach (p, &h->pending, link) {
        if (p->id == id && !p->done) {
            p->answer = *f;
            *f = FRAME_INIT;
            p->json = TAKE_PTR(*j);
            p->done = true;
            pthread_cond_signal(&p->wake);
            return;
        }
    }
    /* Its caller gave up: the answer and its descriptors are dropped. */
}

static void drop_events(struct hostd *h)
{
    struct queued_event *q;

    list_foreach (q, &h->events, link) {
        list_remove(&q->link);
        arena_fini(&q->arena);
        free(q);
    }
    h->n_events = 0;
}

static void deliver_event(struct hostd *h, const json_t *j)
{
    struct queued_event *q = xnew(struct queued_event);

    arena_init(&q->arena);
    struct error *e = message_record(&q->arena, &host_event_rec_info, j, &q->event);

    if (e) {
        log_and_free(LOG_WARNING, e, "hostd sent an event that is none");
        arena_fini(&q->arena);
        free(q);
        return;
    }
    if (h->n_events == EVENTS_MAX) {
        drop_events(h);
        h->news = true;
    }
    list_append(&h->events, &q->link);
    h->n_events++;
    pthread_cond_signal(&h->notify);
}

static struct error *read_one(struct hostd *h)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(frame_recv(h->fd, FRAME_MAX_REPLY, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    const json_t *event = json_object_get(j, "event");

    pthread_mutex_lock(&h->lock);
    if (event)
        deliver_event(h, event);
    else
        deliver_answer(h, &f, &j);
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- the connection ---- */

static struct error *say_hello(struct hostd *h, int fd, struct arena *a,
                               struct host_hello_result *ret)
{
    struct host_hello_args args = {.version = h->version, .schema = HOST_PROTO_DIGEST};
    const struct host_call_info *call = &host_calls[HOST_CALL_HELLO];
    struct timeval limit = {.tv_sec = HELLO_TIMEOUT_US / SECOND_US};
    _cleanup_str_ struct str out = STR_INIT;
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    message_add_call(&out, 0, call, &args);
    TRY(frame_send(fd, out.s, out.len, NULL, 0));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    TRY(frame_recv(fd, FRAME_MAX_REPLY, &f));
    limit.tv_sec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    const json_t *result = json_object_get(j, "result");

    if (!result)
        return message_error(json_object_get(j, "error"));
    if (ret)
        TRY(message_record(a, call->result, result, ret));
    if (!streq(ret->schema, HOST_PROTO_DIGEST))
        return error_errno(EPROTO, "hostd %s speaks another protocol", ret->version);
    return NULL;
}

static struct error *make_connection(struct hostd *h)
{
    struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    _cleanup_close_ int fd = -1;
    struct host_hello_result hello;
    struct arena a;

    TRY(io_connect_unix(h->socket_path, SOCK_STREAM, &fd));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    arena_init(&a);
    struct error *e = say_hello(h, fd, &a, &hello);

    if (e) {
        arena_fini(&a);
        return e;
    }
    pthread_mutex_lock(&h->write_lock);
    pthread_mutex_lock(&h->lock);
    if (h->stopping) /* hostd_close came in between and had nothing to shut down */
        shutdown(fd, SHUT_RDWR);
    h->fd = TAKE_FD(fd);
    arena_fini(&h->hello_arena);
    h->hello_arena = a;
    h->hello = hello;
    /* What came over the old connection is older than what on_connect will ask. */
    drop_events(h);
    h->news = true;
    h->connections++;
    pthread_cond_broadcast(&h->connected);
    pthread_cond_signal(&h->notify);
    pthread_mutex_unlock(&h->lock);
    pthread_mutex_unlock(&h->write_lock);
    return NULL;
}

static void lose_connection(struct hostd *h)
{
    struct pending *p;

    pthread_mutex_lock(&h->write_lock);
    pthread_mutex_lock(&h->lock);
    cleanup_close(&h->fd);
    list_foreach (p, &h->pending, link) {
        if (!p->done) {
            p->failed = error_errno(EHOSTDOWN, "hostd went away");
            p->done = true;
            pthread_cond_signal(&p->wake);
        }
    }
    pthread_mutex_unlock(&h->lock);
    pthread_mutex_unlock(&h->write_lock);
}

/* True = go on; false = stopping. */
static bool pause_before_retry(struct hostd *h, int64_t us)
{
    int64_t end = mono_us() + us;

    pthread_mutex_lock(&h->lock);
    while (!h->stopping && cond_wait_until(&h->retry, &h->lock, end))
        ;
    bool go_on = !h->stopping;

    pthread_mutex_unlock(&h->lock);
    return go_on;
}

static void *read_all(void *arg)
{
    struct hostd *h = arg;
    int64_t pause = RETRY_MIN_US;
    bool said = false;

    do {
        struct error *e = make_connection(h);

        if (e) {
            /* Once is enough; the program that waits for hostd may wait long. */
            if (said)
                error_free(e);
            else
                log_and_free(LOG_WARNING, e, "no connection to xenolith-hostd");
            said = true;
            pause = MIN(pause * 2, RETRY_MAX_US);
            continue;
        }
        log_info("connected to xenolith-hostd, driver %s", h->hello.driver);
        said = false;
        pause = RETRY_MIN_US;
        do
            e = read_one(h);
        while (!e);
        lose_connection(h);
        log_and_free(h->stopping ? LOG_DEBUG : LOG_WARNING, e, "lost xenolith-hostd");
    } while (pause_before_retry(h, pause));
    return NULL;
}

static void *notify_all(void *arg)
{
    struct hostd *h = arg;

    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        if (h->news) {
            struct arena a;

            /* A copy: the reader may connect again meanwhile. */
            arena_init(&a);
            const struct host_hello_result *hello =
                record_copy(&a, &host_hello_result_info, &h->hello);

            h->news = false;
            pthread_mutex_unlock(&h->lock);
            if (h->config.on_connect)
                h->config.on_connect(h->config.ctx, hello);
            arena_fini(&a);
            pthread_mutex_lock(&h->lock);
        } else if (!list_empty(&h->events)) {
            struct queued_event *q = list_entry(h->events.next, struct queued_event, link);

            list_remove(&q->link);
            h->n_events--;
            pthread_mutex_unlock(&h->lock);
            if (h->config.on_event)
                h->config.on_event(h->config.ctx, &q->event);
            arena_fini(&q->arena);
            free(q);
            pthread_mutex_lock(&h->lock);
        } else {
            pthread_cond_wait(&h->notify, &h->lock);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct error *hostd_open(const struct hostd_config *config, struct hostd **ret)
{
    struct hostd *h = xnew(struct hostd);

    h->config = *config;
    h->socket_path = xstrdup(config->socket_path);
    h->version = xstrdup(config->version);
    h->fd = -1;
    h->next_id = 1;
    list_init(&h->pending);
    list_init(&h->events);
    arena_init(&h->hello_arena);
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->write_lock, NULL);
    pthread_cond_init(&h->connected, NULL);
    pthread_cond_init(&h->notify, NULL);
    pthread_cond_init(&h->retry, NULL);
    int r = pthread_create(&h->notifier, NULL, notify_all, h);

    assert(r == 0);
    r = pthread_create(&h->reader, NULL, read_all, h);
    assert(r == 0);
    *ret = h;
    return NULL;
}

void hostd_cut(struct hostd *h)
{
    if (!h || h->cut)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    if (h->fd >= 0)
        shutdown(h->fd, SHUT_RDWR);
    pthread_cond_broadcast(&h->connected);
    pthread_cond_broadcast(&h->retry);
    pthread_cond_broadcast(&h->notify);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->reader, NULL);
    pthread_join(h->notifier, NULL);
    h->cut = true;
}

void hostd_close(struct hostd *h)
{
    if (!h)
        return;
    hostd_cut(h);
    assert(list_empty(&h->pending));
    drop_events(h);
    arena_fini(&h->hello_arena);
    pthread_cond_destroy(&h->connected);
    pthread_cond_destroy(&h->notify);
    pthread_cond_destroy(&h->retry);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->write_lock);
    free(h->socket_path);
    free(h->version);
    free(h);
}

/* With the lock. */
static struct error *await_locked(struct hostd *h, int64_t timeout_us)
{
    int64_t end = mono_us() + timeout_us;

    while (h->fd < 0) {
        if (h->stopping)
            return error_errno(EHOSTDOWN, "xenolith-hostd was let go");
        if (!cond_wait_until(&h->connected, &h->lock, end) && h->fd < 0)
            return error_errno(EHOSTDOWN, "xenolith-hostd does not answer");
    }
    return NULL;
}

uint64_t hostd_connections(struct hostd *h)
{
    pthread_mutex_lock(&h->lock);
    uint64_t n = h->connections;

    pthread_mutex_unlock(&h->lock);
    return n;
}

struct error *hostd_await(struct hostd *h, int64_t timeout_us)
{
    pthread_mutex_lock(&h->lock);
    struct error *e = await_locked(h, timeout_us);

    pthread_mutex_unlock(&h->lock);
    return e;
}

/* ---- calling ---- */

static struct error *send_text(struct hostd *h, const struct str *text, const int *fds,
                               size_t n_fds)
{
    pthread_mutex_lock(&h->write_lock);
    struct error *e = h->fd < 0 ? error_errno(EHOSTDOWN, "hostd went away")
                                : frame_send(h->fd, text->s, text->len, fds, n_fds);

    /* A message cut in two cannot be mended: the reader will notice and connect again. */
    if (e && h->fd >= 0)
        shutdown(h->fd, SHUT_RDWR);
    if (e && (e->errnum == ECONNRESET || e->errnum == EPIPE))
        e->errnum = EHOSTDOWN;
    pthread_mutex_unlock(&h->write_lock);
    return e;
}

static void send_cancel(struct hostd *h, uint64_t id)
{
    _cleanup_str_ struct str text = STR_INIT;

    str_printf(&text, "{\"cancel\":%llu}", (unsigned long long)id);
    IGNORE_ERROR(send_text(h, &text, NULL, 0));
}

/* With the lock; false = time is up. */
static bool wait_done(struct hostd *h, struct pending *p, int timeout_s)
{
    int64_t end = mono_us() + timeout_s * SECOND_US;

    while (!p->done) {
        if (!timeout_s)
            pthread_cond_wait(&p->wake, &h->lock);
        else if (!cond_wait_until(&p->wake, &h->lock, end) && !p->done)
            return false;
    }
    return true;
}

static struct error *take_answer(struct pending *p, const struct host_call_info *call,
                                 struct arena *arena, void *ret, int *fds, size_t *n_fds)
{
    const json_t *result = json_object_get(p->json, "result");

    if (!result)
        return message_error(json_object_get(p->json, "error"));
    if (p->answer.n_fds > call->fds_out)
        return error_errno(EPROTO, "hostd sent descriptors with %s", call->name);
    if (ret)
        TRY(message_record(arena, call->result, result, ret));
    if (n_fds) {
        memcpy(fds, p->answer.fds, p->answer.n_fds * sizeof(int));
        *n_fds = p->answer.n_fds;
        p->answer.n_fds = 0;
    }
    return NULL;
}

static struct error *exchange(struct hostd *h, struct pending *p, const struct host_call_info *call,
                              const struct str *text, const int *fds, size_t n_fds)
{
    struct error *e = send_text(h, text, fds, n_fds);

    pthread_mutex_lock(&h->lock);
    bool in_time = e || wait_done(h, p, call->timeout);

    list_remove(&p->link);
    pthread_mutex_unlock(&h->lock);
    if (!in_time) {
        send_cancel(h, p->id);
        return error_errno(ETIMEDOUT, "hostd does not answer %s", call->name);
    }
    if (e) {
        error_free(p->failed);
        p->failed = NULL;
        return e;
    }
    return TAKE_PTR(p->failed);
}

/* One attempt. */
static struct error *call_once(struct hostd *h, int call_id, const void *args, struct arena *arena,
                               void *ret, int *fds, size_t *n_fds, bool *ret_lost)
{
    const struct host_call_info *call = &host_calls[call_id];
    struct pending p = {.answer = FRAME_INIT};
    _cleanup_str_ struct str text = STR_INIT;

    pthread_mutex_lock(&h->lock);
    struct error *e = await_locked(h, HOSTD_PATIENCE_US);

    if (!e) {
        p.id = h->next_id++;
        pthread_cond_init(&p.wake, NULL);
        list_append(&h->pending, &p.link);
    }
    pthread_mutex_unlock(&h->lock);
    if (e)
        return error_prepend(e, "%s", call->name);
    message_add_call(&text, p.id, call, args);
    e = exchange(h, &p, call, &text, fds, n_fds && call->fds_in ? *n_fds : 0);
    if (call->secret)
        explicit_bzero(text.s, text.len);
    *ret_lost = hostd_is_away(e);
    if (!e)
        e = take_answer(&p, call, arena, ret, fds, n_fds);
    frame_fini(&p.answer);
    json_decref(p.json);
    pthread_cond_destroy(&p.wake);
    return e;
}

static bool is_stopping(struct hostd *h)
{
    pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;

    pthread_mutex_unlock(&h->lock);
    return stopping;
}

struct error *hostd_call(struct hostd *h, int call_id, const void *args, struct arena *arena,
                         void *ret, int *fds, size_t *n_fds)
{
    int64_t patience = 0;

    for (;;) {
        bool lost = false;
        struct error *e = call_once(h, call_id, args, arena, ret, fds, n_fds, &lost);
        int64_t now = mono_us();

        if (!lost || is_stopping(h) || (patience && now >= patience))
            return e;
        /* hostd was restarted under the call; the next one knows nothing of it. */
        if (!patience)
            patience = now + HOSTD_PATIENCE_US;
        log_and_free(LOG_INFO, e, "%s is asked again", host_calls[call_id].name);
    }
}
