/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/take_over.h"

#include "base/log.h"
#include "base/str.h"
#include "daemon/given.h"
#include "proto/frame.h"
#include "value/json.h"
#include "wire/server.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#define GO_MAX (1u << 30)

struct take_over {
    int fd;
    json_t *go;
    struct server *server;
    pthread_t thread; /* receives connections */
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool all;
};

static struct error *say(struct take_over *t, const char *text)
{
    return frame_send(t->fd, text, strlen(text), NULL, 0);
}

struct error *take_over_begin(struct take_over **ret)
{
    const char *text = getenv(TAKE_OVER_ENV);
    char *end = NULL;
    long fd = text ? strtol(text, &end, 10) : -1;

    *ret = NULL;
    if (!text)
        return NULL;
    unsetenv(TAKE_OVER_ENV);
    if (!*text || *end || fd < 3 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_text(TAKE_OVER_ENV "=%ld names no socket", fd);
    struct take_over *t = xnew(struct take_over);

    t->fd = (int)fd;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    *ret = t;
    return NULL;
}

static void add_link(struct link_list *links, int *fd, json_t *held)
{
    const struct link l = {.fd = TAKE_FD(*fd), .held = json_incref(held)};

    vec_add(links, l);
}

/* "fds" names what comes along, in order: "lock", "link", or a listener. "held" has a member for
 * each link. */
static void take_fds(const json_t *go, struct frame *f, struct listen_fds *l,
                     struct link_list *links, int *lock)
{
    const json_t *names = json_object_get(go, "fds"), *held = json_object_get(go, "held");

    for (size_t i = 0; i < f->n_fds && i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int at = name ? listen_find(name) : -1;

        if (!name)
            continue;
        if (streq(name, "lock") && *lock < 0)
            *lock = TAKE_FD(f->fds[i]);
        else if (streq(name, "link"))
            add_link(links, &f->fds[i], json_array_get(held, links->n));
        else if (at >= 0 && l->fd[at] < 0)
            l->fd[at] = TAKE_FD(f->fds[i]);
    }
}

struct error *take_over_await(struct take_over *t, struct listen_fds *ret_listen,
                              struct link_list *ret_links, int *ret_lock)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(say(t, "{\"ready\":1}"));
    TRY(frame_recv(t->fd, GO_MAX, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    t->go = json_incref(json_object_get(j, "go"));
    take_fds(t->go, &f, ret_listen, ret_links, ret_lock);
    return t->go && *ret_lock >= 0 ? NULL : error_text("what was handed over is not complete");
}

const json_t *take_over_get(const struct take_over *t, const char *key)
{
    return t ? json_object_get(t->go, key) : NULL;
}

static void tell_all(struct take_over *t)
{
    pthread_mutex_lock(&t->lock);
    t->all = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static struct error *receive_one(struct take_over *t)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_arena_ struct arena a;

    arena_init(&a);
    TRY(frame_recv(t->fd, FRAME_MAX_REPLY, &f));
    struct given g = {.fd = -1};
    struct error *e = given_read(&a, &f, &g);

    if (!e && g.fd >= 0)
        server_adopt(t->server, &g);
    else if (!e)
        tell_all(t);
    cleanup_close(&g.fd);
    return e;
}

static void *receive_all(void *arg)
{
    struct take_over *t = arg;
    struct error *e;

    do
        e = receive_one(t);
    while (!e);
    log_and_free(LOG_DEBUG, e, "the program before has ended");
    tell_all(t);
    return NULL;
}

struct error *take_over_serve(struct take_over *t, struct server *s)
{
    _cleanup_free_ char *text = xasprintf("{\"serving\":%d}", (int)getpid());

    json_decref(TAKE_PTR(t->go));
    t->server = s;
    int r = pthread_create(&t->thread, NULL, receive_all, t);

    if (r)
        return error_errno(r, "cannot start a thread");
    t->started = true;
    IGNORE_ERROR(say(t, text)); /* its end now changes nothing */
    return NULL;
}

void take_over_await_all(struct take_over *t)
{
    if (!t || !t->started)
        return;
    pthread_mutex_lock(&t->lock);
    while (!t->all)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void take_over_free(struct take_over *t)
{
    if (!t)
        return;
    if (t->started) {
        shutdown(t->fd, SHUT_RDWR);
        pthread_join(t->thread, NULL);
    }
    cleanup_close(&t->fd);
    json_decref(t->go);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    free(t);
}
