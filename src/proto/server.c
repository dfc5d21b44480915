/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread accepts, one per connection reads, one pushes events; workers run the bodies and send
 * the answers. A connection is counted: its reader holds one reference, each call one.
 */
#include "proto/server.h"

#include "base/io.h"
#include "base/list.h"
#include "base/log.h"
#include "base/test_point.h"
#include "base/wait.h"
#include "base/workers.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define MAX_CONNECTIONS 16
#define MAX_CALLS       512 /* queued or running, all connections */
#define MAX_EVENTS      10000
#define MAX_TEXT        (64u << 20) /* bytes of messages whose calls are queued or running */
#define PEER_TIMEOUT_S  10          /* no progress within a message, either way */
#define ORPHANS_WAIT_US (5 * SECOND_US)
#define ACCEPT_REST_MS  100 /* without descriptors: before trying again */

struct connection {
    struct list link;
    struct host_server *server;
    int fd;
    int refs;     /* with server->lock */
    bool greeted; /* the reader's: hello came, with our digest */
    pthread_mutex_t write_lock;
    struct list calls; /* running or queued, with server->lock */
    unsigned running;  /* bodies, with server->lock */
    bool ended;        /* nobody hears answers any more, with server->lock */
};

struct host_call {
    struct list link;
    struct connection *connection;
    const struct host_call_info *info;
    int call_id;
    uint64_t id;
    size_t text_len; /* of its message */
    struct arena arena;
    void *args;
    int in[FRAME_MAX_FDS], out[FRAME_MAX_FDS];
    size_t n_in, n_out;
    atomic_bool cancelled;
};

struct event_text {
    struct list link;
    struct str text;
};

struct host_server {
    struct host_server_config config;
    int fd;
    struct workers *workers;
    pthread_t acceptor, pusher;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* connections, events or stopping */
    struct list connections;
    size_t n_connections;
    unsigned orphans; /* bodies that run for connections that ended */
    struct list events;
    size_t n_events;
    size_t text_len; /* of all calls */
    bool stopping;
};

/* ---- connections ---- */

/* With the lock. */
static void connection_unref(struct connection *c)
{
    if (--c->refs > 0)
        return;
    cleanup_close(&c->fd);
    pthread_mutex_destroy(&c->write_lock);
    c->server->n_connections--;
    pthread_cond_broadcast(&c->server->changed);
    free(c);
}

static void connection_send(struct connection *c, const struct str *text, const int *fds,
                            size_t n_fds)
{
    pthread_mutex_lock(&c->write_lock);
    struct error *e = frame_send(c->fd, text->s, text->len, fds, n_fds);

    /* Half a message ends the conversation; so does a peer that does not read. */
    if (e)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->write_lock);
    if (e && e->errnum != EPIPE && e->errnum != ECONNRESET)
        log_and_free(LOG_WARNING, e, "connection closed");
    else
        error_free(e);
}

/* ---- calls ---- */

void *host_call_ctx(const struct host_call *c)
{
    return c->connection->server->config.ctx;
}

struct arena *host_call_arena(struct host_call *c)
{
    return &c->arena;
}

bool host_call_cancelled(const struct host_call *c)
{
    return atomic_load(&c->cancelled);
}

void host_call_give_fd(struct host_call *c, int fd)
{
    assert(c->n_out < c->info->fds_out);
    c->out[c->n_out++] = fd;
}

int host_call_take_fd(struct host_call *c, size_t i)
{
    return i < c->n_in ? TAKE_FD(c->in[i]) : -1;
}

static void call_free(struct host_call *c)
{
    struct host_server *s = c->connection->server;

    for (size_t i = 0; i < c->n_in; i++)
        cleanup_close(&c->in[i]);
    for (size_t i = 0; i < c->n_out; i++)
        cleanup_close(&c->out[i]);
    arena_fini(&c->arena);
    pthread_mutex_lock(&s->lock);
    s->text_len -= c->text_len;
    list_remove(&c->link);
    connection_unref(c->connection);
    pthread_mutex_unlock(&s->lock);
    free(c);
}

static struct error *run_body(struct host_call *c, void *result)
{
    if (!host_bodies[c->call_id])
        return error_api("NOT_IMPLEMENTED", 1, c->info->name);
    memcpy(result, c->info->result->defaults, c->info->result->size);
    return host_bodies[c->call_id](c, c->args, result);
}

/* False: its connection ended while the call was queued. */
static bool begin_body(struct host_call *c)
{
    struct host_server *s = c->connection->server;

    pthread_mutex_lock(&s->lock);
    bool wanted = !c->connection->ended;

    c->connection->running += wanted;
    pthread_mutex_unlock(&s->lock);
    return wanted;
}

static void end_body(struct host_call *c)
{
    struct host_server *s = c->connection->server;

    pthread_mutex_lock(&s->lock);
    c->connection->running--;
    if (c->connection->ended && --s->orphans == 0)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void call_run(void *arg)
{
    struct host_call *c = arg;

    if (!begin_body(c)) {
        call_free(c);
        return;
    }
    int64_t from = mono_us();
    _cleanup_str_ struct str text = STR_INIT;
    void *result = arena_zalloc(&c->arena, c->info->result->size);
    test_point("hostd", c->info->name, "begin");
    _cleanup_error_ struct error *e = run_body(c, result);
    long long us = mono_us() - from;

    if (e) {
        _cleanup_free_ char *why = error_string(e);

        log_info("%s failed after %lld us: %s", c->info->name, us, why);
        message_add_error(&text, c->id, e);
    } else {
        log_debug("%s: %lld us", c->info->name, us);
        message_add_result(&text, c->id, c->info, result);
    }
    test_point("hostd", c->info->name, "done");
    connection_send(c->connection, &text, c->out, e ? 0 : c->n_out);
    end_body(c);
    call_free(c);
}

/* ---- what comes in ---- */

static void refuse(struct connection *c, uint64_t id, struct error *e)
{
    _cleanup_str_ struct str text = STR_INIT;

    message_add_error(&text, id, e);
    connection_send(c, &text, NULL, 0);
    error_free(e);
}

/* Who was built from another description of the protocol means other things by the same words. */
static struct error *check_greeting(struct connection *c, const struct host_call *call)
{
    const struct host_hello_args *hello = call->args;

    if (call->call_id == HOST_CALL_HELLO)
        c->greeted = streq(hello->schema, HOST_PROTO_DIGEST);
    return c->greeted
               ? NULL
               : error_errno(EPROTO, "xenolith-hostd speaks another protocol, or was not greeted");
}

static struct error *decode_call(struct host_call *call, const json_t *j, struct frame *f)
{
    TRY(message_call(&call->arena, j, &call->call_id, &call->args));
    call->info = &host_calls[call->call_id];
    if (f->n_fds > call->info->fds_in)
        return error_errno(EPROTO, "%s takes no such number of descriptors", call->info->name);
    memcpy(call->in, f->fds, f->n_fds * sizeof(int));
    call->n_in = f->n_fds;
    f->n_fds = 0;
    return NULL;
}

/* False = the conversation is over. */
static bool start_call(struct connection *c, const json_t *j, struct frame *f)
{
    struct host_server *s = c->server;
    struct host_call *call = xnew(struct host_call);

    arena_init(&call->arena);
    call->connection = c;
    call->id = (uint64_t)json_integer_value(json_object_get(j, "id"));
    call->text_len = f->text.len;
    pthread_mutex_lock(&s->lock);
    c->refs++;
    list_append(&c->calls, &call->link);
    s->text_len += call->text_len;
    bool too_much = s->text_len > MAX_TEXT;

    pthread_mutex_unlock(&s->lock);
    struct error *e =
        too_much ? error_errno(EBUSY, "too many large calls") : decode_call(call, j, f);

    if (!e)
        e = check_greeting(c, call);
    if (!e && !workers_run(s->workers, call_run, call))
        e = error_errno(EBUSY, "too many calls");
    if (e) {
        refuse(c, call->id, e);
        call_free(call);
    }
    return c->greeted;
}

static void cancel_call(struct connection *c, uint64_t id)
{
    struct host_call *call;

    pthread_mutex_lock(&c->server->lock);
    list_foreach (call, &c->calls, link) {
        if (call->id == id)
            atomic_store(&call->cancelled, true);
    }
    pthread_mutex_unlock(&c->server->lock);
}

static struct error *read_one(struct connection *c)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;
    struct pollfd idle = {.fd = c->fd, .events = POLLIN};

    /* Between messages a peer may be silent, within one it may not. */
    while (poll(&idle, 1, -1) < 0 && errno == EINTR)
        ;
    TRY(frame_recv(c->fd, FRAME_MAX_CALL, &f));
    struct error *e = json_parse(str_cstr(&f.text), f.text.len, &j);

    /* Passwords come this way: nothing of a message stays behind in freed memory. */
    explicit_bzero(f.text.s, f.text.len);
    if (e)
        return e;
    if (json_is_integer(json_object_get(j, "cancel")))
        cancel_call(c, (uint64_t)json_integer_value(json_object_get(j, "cancel")));
    else if (!json_is_integer(json_object_get(j, "id")))
        return error_errno(EPROTO, "neither call nor cancel");
    else if (!start_call(c, j, &f))
        return error_errno(EPROTO, "no greeting");
    return NULL;
}

/* Has a peer that came before us gone, and its reader has yet to see it? With the lock held. */
static bool one_has_gone(const struct connection *us)
{
    struct connection *c;

    list_foreach (c, &us->server->connections, link) {
        struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

        if (c == us)
            break;
        if (TEMP_FAILURE_RETRY(poll(&p, 1, 0)) > 0)
            return true;
    }
    return false;
}

/*
 * Whoever connects after a connection was lost may ask for the contrary of what was asked there. So
 * bodies that nobody waits for end first, as long as a caller has patience: they must not have the
 * last word.
 */
static void await_orphans(const struct connection *c)
{
    struct host_server *s = c->server;
    int64_t until = mono_us() + ORPHANS_WAIT_US;

    pthread_mutex_lock(&s->lock);
    while ((s->orphans || one_has_gone(c)) && !s->stopping &&
           cond_wait_until(&s->changed, &s->lock, until))
        ;
    pthread_mutex_unlock(&s->lock);
}

static void *connection_run(void *arg)
{
    struct connection *c = arg;
    struct host_server *s = c->server;
    struct host_call *call;
    struct error *e;

    await_orphans(c);

    do
        e = read_one(c);
    while (!e);
    if (e->errnum == ECONNRESET)
        error_free(e);
    else
        log_and_free(LOG_WARNING, e, "connection closed");
    pthread_mutex_lock(&s->lock);
    /* Answers of running calls are still wanted if it is us who end the conversation. */
    if (!s->stopping) {
        shutdown(c->fd, SHUT_RDWR);
        c->ended = true;
        s->orphans += c->running;
    }
    list_remove(&c->link);
    pthread_cond_broadcast(&s->changed);
    list_foreach (call, &c->calls, link)
        atomic_store(&call->cancelled, true);
    connection_unref(c);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool may_connect(const struct host_server *s, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == s->config.user)
        return true;
    log_warning("connection of user %d refused", (int)peer.uid);
    return false;
}

static void accept_one(struct host_server *s, int fd)
{
    unsigned given = s->config.peer_timeout_s;
    struct timeval limit = {.tv_sec = given ? given : PEER_TIMEOUT_S};
    struct connection *c = xnew(struct connection);
    pthread_t thread;

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    c->server = s;
    c->fd = fd;
    c->refs = 1;
    list_init(&c->calls);
    pthread_mutex_init(&c->write_lock, NULL);
    pthread_mutex_lock(&s->lock);
    s->n_connections++;
    list_append(&s->connections, &c->link);
    if (s->n_connections > MAX_CONNECTIONS || pthread_create(&thread, NULL, connection_run, c)) {
        log_warning("too many connections");
        list_remove(&c->link);
        connection_unref(c);
    } else {
        pthread_detach(thread);
    }
    pthread_mutex_unlock(&s->lock);
}

static void *accept_all(void *arg)
{
    struct host_server *s = arg;

    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            /* Somebody else's descriptors may come free; shutting down wakes us as well. */
            struct pollfd rest = {.fd = s->fd, .events = 0};

            poll(&rest, 1, ACCEPT_REST_MS);
            continue;
        }
        if (fd < 0)
            return NULL; /* shut down */
        if (may_connect(s, fd))
            accept_one(s, fd);
        else
            close(fd);
    }
}

/* ---- events ---- */

void host_server_push(struct host_server *s, const struct host_event_rec *event)
{
    struct event_text *t = xnew(struct event_text);
    struct connection *c;

    message_add_event(&t->text, event);
    pthread_mutex_lock(&s->lock);
    if (s->n_events == MAX_EVENTS) {
        /* Nobody reads them. Whoever comes back asks for the state. */
        list_foreach (c, &s->connections, link)
            shutdown(c->fd, SHUT_RDWR);
    }
    if (s->n_events == MAX_EVENTS || list_empty(&s->connections)) {
        str_fini(&t->text);
        free(t);
    } else {
        list_append(&s->events, &t->link);
        s->n_events++;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

static void push_one(struct host_server *s, struct event_text *t)
{
    struct connection *all[MAX_CONNECTIONS], *c;
    size_t n = 0;

    list_foreach (c, &s->connections, link) {
        c->refs++;
        all[n++] = c;
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < n; i++)
        connection_send(all[i], &t->text, NULL, 0);
    str_fini(&t->text);
    free(t);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        connection_unref(all[i]);
}

static void *push_all(void *arg)
{
    struct host_server *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping || !list_empty(&s->events)) {
        if (list_empty(&s->events)) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct event_text *t = list_entry(s->events.next, struct event_text, link);

        list_remove(&t->link);
        s->n_events--;
        push_one(s, t);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- life ---- */

struct error *host_server_start(const struct host_server_config *config, struct host_server **ret)
{
    struct host_server *s = xnew(struct host_server);

    s->config = *config;
    s->fd = -1;
    list_init(&s->connections);
    list_init(&s->events);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    struct error *e = workers_new("hostd", config->max_threads, MAX_CALLS, &s->workers);

    if (!e)
        e = io_listen_unix(config->socket_path, SOCK_STREAM, 0600, &s->fd);
    if (!e && config->user != (uid_t)-1 && chown(config->socket_path, config->user, (gid_t)-1) < 0)
        e = error_errno(errno, "cannot give away %s", config->socket_path);
    if (e) {
        if (s->workers)
            workers_free(s->workers);
        cleanup_close(&s->fd);
        free(s);
        return e;
    }
    int r = pthread_create(&s->acceptor, NULL, accept_all, s);

    assert(r == 0);
    r = pthread_create(&s->pusher, NULL, push_all, s);
    assert(r == 0);
    *ret = s;
    return NULL;
}

void host_server_stop(struct host_server *s)
{
    struct connection *c;

    if (!s)
        return;
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    list_foreach (c, &s->connections, link)
        shutdown(c->fd, SHUT_RD);
    while (!list_empty(&s->connections))
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->pusher, NULL);
    /* Running calls are waited for and answered. */
    workers_free(s->workers);
    pthread_mutex_lock(&s->lock);
    while (s->n_connections)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    cleanup_close(&s->fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}
