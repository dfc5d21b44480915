/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/hand_over.h"

#include "api/http/transfers.h"
#include "auth/sessions.h"
#include "base/log.h"
#include "base/workers.h"
#include "base/world.h"
#include "daemon/given.h"
#include "daemon/launcher.h"
#include "daemon/notify.h"
#include "daemon/take_over.h"
#include "model/store.h"
#include "rpc/left.h"
#include "value/json.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#define READY_WAIT_S   60 /* until it has hostd, say: this program serves meanwhile */
#define SERVING_WAIT_S 30
#define BEGIN_US       (3 * SECOND_US) /* for transfers that begin, while everybody works on */
#define FIRST_LOT_US   (1 * SECOND_US)
#define ANSWERS_US     (60 * SECOND_US)
#define TRIES          4

struct hand_over {
    struct parts *parts;
    pthread_mutex_t send_lock; /* frames to the new program */
    int fd;
    int pid;                   /* of the one that serves */
    pthread_mutex_t link_lock; /* one question at a time */
    int link;                  /* our end of the transfers' link */
    int their_link;
    struct str go;
};

/* Lives as long as the process: transfers and pollers use it. */
static struct hand_over h = {.fd = -1,
                             .link = -1,
                             .their_link = -1,
                             .send_lock = PTHREAD_MUTEX_INITIALIZER,
                             .link_lock = PTHREAD_MUTEX_INITIALIZER};

/* Transfers. */

static void tell(void *ctx, json_t *question)
{
    _cleanup_json_ json_t *own = question;

    json_object_set_new(question, "quiet", json_true());
    _cleanup_free_ char *text = json_dumps(question, JSON_COMPACT);

    pthread_mutex_lock(&h.link_lock);
    if (text)
        IGNORE_ERROR(frame_send(h.link, text, strlen(text), NULL, 0));
    pthread_mutex_unlock(&h.link_lock);
}

static struct error *ask_link(const char *text, json_t **ret)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;

    TRY(frame_send(h.link, text, strlen(text), NULL, 0));
    TRY(frame_recv(h.link, FRAME_MAX_CALL, &f));
    return json_parse(str_cstr(&f.text), f.text.len, ret);
}

static json_t *ask(void *ctx, json_t *question)
{
    _cleanup_json_ json_t *own = question;
    _cleanup_free_ char *text = json_dumps(question, JSON_COMPACT);
    json_t *answer = NULL;

    pthread_mutex_lock(&h.link_lock);
    if (text)
        log_and_free(LOG_DEBUG, ask_link(text, &answer), "nobody knows of this transfer any more");
    pthread_mutex_unlock(&h.link_lock);
    return answer;
}

/* Candidates. */

static struct error *make_link(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    h.link = pair[0];
    h.their_link = pair[1];
    return NULL;
}

static void set_limit(int fd, int option, int seconds)
{
    const struct timeval limit = {.tv_sec = seconds};

    setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit));
}

static struct error *expect(const char *what, int seconds)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    set_limit(h.fd, SO_RCVTIMEO, seconds);
    TRY(frame_recv(h.fd, FRAME_MAX_CALL, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    h.pid = (int)json_integer_value(json_object_get(j, what));
    return h.pid ? NULL : error_text("the new program says something else");
}

static void end_candidate(void)
{
    cleanup_close(&h.fd);
    launcher_end(h.parts->launcher);
}

/* Starts a program and waits until it has done what needs no store. */
static struct error *start_candidate(bool ourselves)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    h.fd = pair[0];
    struct error *e = launcher_run(h.parts->launcher, ourselves, pair[1]);

    close(pair[1]);
    if (!e)
        e = expect("ready", READY_WAIT_S);
    if (e)
        end_candidate();
    return e;
}

/* From "go" on nothing but its word or its end counts. */
static struct error *release_candidate(const int *fds, size_t n)
{
    TRY(frame_send(h.fd, h.go.s, h.go.len, fds, n));
    return expect("serving", SERVING_WAIT_S);
}

/* What the store does not keep. */

static void add_link(json_t *names, json_t *held, json_t *what)
{
    json_array_append_new(names, json_string("link"));
    json_array_append_new(held, what ? what : json_null());
}

static size_t list_fds(json_t *names, json_t *held, int fds[FRAME_MAX_FDS])
{
    struct parts *p = h.parts;
    size_t n = 0;

    json_array_append_new(names, json_string("lock"));
    fds[n++] = p->lock_fd;
    for (int i = 0; i < LISTEN_MAX; i++) {
        if (p->listen.fd[i] < 0)
            continue;
        json_array_append_new(names, json_string(listen_names[i]));
        fds[n++] = p->listen.fd[i];
    }
    add_link(names, held, transfers_held(p->d.under_way));
    fds[n++] = h.their_link;
    vec_foreach (link, &p->link_list) {
        if (n == FRAME_MAX_FDS)
            break; /* transfers of the oldest programs lose their tasks */
        add_link(names, held, json_incref(link->held));
        fds[n++] = link->fd;
    }
    return n;
}

static void add_member(struct str *out, const char *name, json_t *j)
{
    _cleanup_json_ json_t *own = j;
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

    str_printf(out, ",\"%s\":%s", name, text ? text : "null");
}

static size_t write_go(int fds[FRAME_MAX_FDS])
{
    struct daemon *d = &h.parts->d;
    json_t *names = json_array(), *held = json_array();
    size_t n = list_fds(names, held, fds);

    str_lit(&h.go, "{\"go\":{\"store\":");
    store_write_soft(d->store, &h.go);
    add_member(&h.go, "sessions", sessions_write(d->sessions));
    add_member(&h.go, "left", left_take(d->left));
    add_member(&h.go, "program", json_string(launcher_program_id(h.parts->launcher)));
    add_member(&h.go, "fds", names);
    add_member(&h.go, "held", held);
    str_lit(&h.go, "}}");
    return n;
}

/* Connections. */

static void give(void *ctx, struct given *g)
{
    pthread_mutex_lock(&h.send_lock);
    struct error *e = given_send(h.fd, g);

    pthread_mutex_unlock(&h.send_lock);
    close(g->fd);
    log_and_free(LOG_DEBUG, e, "a connection could not be given away");
}

static void say_all(void)
{
    static const char text[] = "{\"all\":1}";

    pthread_mutex_lock(&h.send_lock);
    IGNORE_ERROR(frame_send(h.fd, text, strlen(text), NULL, 0));
    pthread_mutex_unlock(&h.send_lock);
}

/* The new one may be broken although it got ready; this very program is not. */
static void hand_to_somebody(const int *fds, size_t n)
{
    struct error *e = release_candidate(fds, n);

    for (int i = 0; e && i < TRIES; i++) {
        log_and_free(LOG_ERROR, e, "the new program did not take over; trying ourselves");
        end_candidate();
        e = start_candidate(true);
        if (!e)
            e = release_candidate(fds, n);
    }
    if (!e)
        return;
    log_and_free(LOG_ERROR, e, "nobody takes over");
    _exit(1); /* as if killed: whoever starts us next finds everything in the store */
}

bool hand_over(struct parts *p)
{
    const struct transfer_successor next = {.ask = ask, .tell = tell};
    int fds[FRAME_MAX_FDS];

    h.parts = p;
    notify_manager("RELOADING=1");
    take_over_await_all(p->take_over);
    struct error *e = make_link();

    if (!e)
        e = start_candidate(false);
    if (e) {
        log_and_free(LOG_ERROR, e, "cannot hand over, going on");
        cleanup_close(&h.link);
        cleanup_close(&h.their_link);
        notify_manager("READY=1\nSTATUS=The new program did not start; the old one goes on.");
        return false;
    }
    transfers_hold(p->d.under_way, BEGIN_US);
    int64_t start = mono_us();

    parts_go_quiet(p, &next);
    size_t n = write_go(fds);

    parts_let_go(p);
    int64_t quiet = mono_us();

    hand_to_somebody(fds, n);
    notify_manager("MAINPID=%d\nREADY=1\nSTATUS=", h.pid);
    log_info("process %d serves; quiet after %lld ms, all after %lld ms", h.pid,
             (long long)(quiet - start) / 1000, (long long)(mono_us() - start) / 1000);
    cleanup_close(&p->lock_fd);
    cleanup_close(&h.their_link);
    str_fini(&h.go);
    server_give(p->d.server, give, NULL);
    return true;
}

static void *await_signal(void *arg)
{
    struct parts *p = arg;
    sigset_t ends;
    int sig;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigwait(&ends, &sig);
    transfers_cancel(p->d.under_way);
    server_end_relays(p->d.server);
    return NULL;
}

void hand_over_linger(struct parts *p)
{
    pthread_t thread;
    bool waits = pthread_create(&thread, NULL, await_signal, p) == 0;

    server_await_gone(p->d.server, FIRST_LOT_US);
    say_all();
    while (!workers_settle(p->d.transfers, 3600 * SECOND_US) ||
           !server_await_gone(p->d.server, ANSWERS_US))
        ;
    if (waits) {
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    cleanup_close(&h.fd);
    cleanup_close(&h.link);
}
