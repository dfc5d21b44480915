/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small program around the HTTP server for black-box tests and measurements: routes for every way
 * a request can end. Prints one line of JSON with what it listens on, runs until its standard
 * input ends, and says on exit whether everything had ended in order.
 */
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/workers.h"
#include "base/world.h"
#include "wire/relay.h"
#include "wire/static_files.h"
#include "wire/websocket.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct app {
    struct server *server;
    struct workers *workers;
    char hello[1024];
    char block[65536];

    pthread_mutex_t lock;
    struct list parked; /* struct parked */
    unsigned n_parked;
    unsigned n_gone;
    atomic_ullong uploaded;
    atomic_uint upload_ended;
};

struct parked {
    struct list link;
    struct app *app;
    struct http_request *rq;
};

/* A job for a worker, in the request's arena. */
struct job {
    struct app *app;
    struct http_request *rq;
    struct stream *stream; /* taken already */
};

static void reply_number(struct http_request *rq, unsigned long long n)
{
    char *text = arena_printf(&rq->arena, "%llu", n);

    http_reply_mem(rq, 200, "text/plain", text, strlen(text));
}

static void hello(void *ctx, struct http_request *rq)
{
    struct app *app = ctx;

    http_reply_mem(rq, 200, "text/plain", app->hello, sizeof(app->hello));
}

static void echo(void *ctx, struct http_request *rq)
{
    http_reply_mem(rq, 200, "text/plain", rq->body, rq->body_len);
}

static void echo_head(void *ctx, struct http_request *rq)
{
    struct str b = STR_INIT;

    str_printf(&b, "%s %s\n", http_verb_name(rq->head.verb), rq->head.path);
    for (size_t i = 0; i < rq->head.n_query; i++)
        str_printf(&b, "q %s=%s\n", rq->head.query[i].name, rq->head.query[i].value);
    for (size_t i = 0; i < rq->head.n_cookies; i++)
        str_printf(&b, "c %s=%s\n", rq->head.cookies[i].name, rq->head.cookies[i].value);
    str_printf(&b, "peer %d %s super=%d\n", (int)rq->peer->kind, rq->peer->address,
               rq->peer->is_superuser);
    http_reply_mem(rq, 200, "text/plain", arena_memdup(&rq->arena, b.s, b.len), b.len);
    str_fini(&b);
}

/* ?n=BYTES in pieces of ?piece=BYTES, all of the same block. */
static void big(void *ctx, struct http_request *rq)
{
    struct app *app = ctx;
    const char *n_text = http_query_find(&rq->head, "n");
    const char *piece_text = http_query_find(&rq->head, "piece");
    size_t n = n_text ? strtoul(n_text, NULL, 10) : 0;
    size_t piece = piece_text ? strtoul(piece_text, NULL, 10) : sizeof(app->block);

    piece = MAX(1, MIN(piece, sizeof(app->block)));
    size_t count = n / piece + 1;
    struct iovec *iov = arena_array(&rq->arena, struct iovec, count);

    for (size_t i = 0; i < count; i++, n -= MIN(n, piece))
        iov[i] = (struct iovec){app->block, MIN(n, piece)};
    http_reply(rq, &(struct http_reply){.status = 200, .body = iov, .n_body = count});
}

static void parked_gone(void *ctx, struct http_request *rq)
{
    struct parked *p = ctx;
    bool ours = false;

    pthread_mutex_lock(&p->app->lock);
    if (!list_empty(&p->link)) {
        list_remove(&p->link);
        p->app->n_parked--;
        p->app->n_gone++;
        ours = true;
    }
    pthread_mutex_unlock(&p->app->lock);
    if (ours)
        http_drop(rq);
}

static void park(void *ctx, struct http_request *rq)
{
    struct app *app = ctx;
    struct parked *p = arena_new(&rq->arena, struct parked);

    p->app = app;
    p->rq = rq;
    http_on_gone(rq, parked_gone, p);
    pthread_mutex_lock(&app->lock);
    list_append(&app->parked, &p->link);
    app->n_parked++;
    pthread_mutex_unlock(&app->lock);
}

static void release_all(struct app *app)
{
    struct parked *p;

    pthread_mutex_lock(&app->lock);
    list_foreach (p, &app->parked, link) {
        list_remove(&p->link);
        app->n_parked--;
        http_reply_mem(p->rq, 200, "text/plain", "released", 8);
    }
    pthread_mutex_unlock(&app->lock);
}

static void release_job(void *arg)
{
    struct job *j = arg;

    release_all(j->app);
    http_reply_mem(j->rq, 200, "text/plain", "ok", 2);
}

static void to_worker(struct app *app, struct http_request *rq, void (*fn)(void *))
{
    struct job *j = arena_new(&rq->arena, struct job);

    *j = (struct job){.app = app, .rq = rq};
    if (!workers_run(app->workers, fn, j))
        http_reply_text(rq, 503, "No worker is free.");
}

static void release(void *ctx, struct http_request *rq)
{
    to_worker(ctx, rq, release_job);
}

static void counts(void *ctx, struct http_request *rq)
{
    struct app *app = ctx;
    struct server_stats st = server_stats(app->server);

    pthread_mutex_lock(&app->lock);
    const char *text = arena_printf(
        &rq->arena,
        "{\"parked\":%u,\"gone\":%u,\"unix\":%u,\"tcp\":%u,\"accepted\":%llu,\"refused\":%llu,"
        "\"uploaded\":%llu,\"upload_ended\":%u}",
        app->n_parked, app->n_gone, st.unix_connections, st.tcp_connections,
        (unsigned long long)st.accepted, (unsigned long long)st.refused,
        (unsigned long long)atomic_load(&app->uploaded), atomic_load(&app->upload_ended));
    pthread_mutex_unlock(&app->lock);
    http_reply_mem(rq, 200, "application/json", text, strlen(text));
}

static void later_job(void *arg)
{
    struct job *j = arg;

    http_reply_mem(j->rq, 200, "text/plain", "later", 5);
}

static void later(void *ctx, struct http_request *rq)
{
    to_worker(ctx, rq, later_job);
}

static void drop(void *ctx, struct http_request *rq)
{
    http_drop(rq);
}

/* 200 first, then the body, counted until its announced end or the connection's. */
static void upload_job(void *arg)
{
    struct job *j = arg;
    struct app *app = j->app;
    int64_t left = j->rq->head.content_length;
    struct stream *s = j->stream ? j->stream : http_take(j->rq);
    _cleanup_free_ char *buf = xmalloc(65536);
    struct error *e = http_stream_head(s, 1, &(struct http_reply){.status = 200}, -1);

    while (!e && left) {
        size_t n;

        e = stream_read(s, buf, left < 0 ? 65536 : (size_t)MIN(left, 65536), &n);
        if (e || !n)
            break;
        atomic_fetch_add(&app->uploaded, n);
        left -= left < 0 ? 0 : (int64_t)n;
    }
    IGNORE_ERROR(e);
    http_request_free(j->rq);
    stream_close(s);
    atomic_fetch_add(&app->upload_ended, 1);
}

/* The same with a connection that was taken on the poller's thread. */
static void upload_taken(struct app *app, struct http_request *rq)
{
    struct job *j = arena_new(&rq->arena, struct job);

    *j = (struct job){.app = app, .rq = rq, .stream = http_take(rq)};
    if (workers_run(app->workers, upload_job, j))
        return;
    stream_close(j->stream);
    http_request_free(rq);
}

static void upload(void *ctx, struct http_request *rq)
{
    if (http_query_find(&rq->head, "deny"))
        http_reply_text(rq, 401, "Not you.");
    else if (http_query_find(&rq->head, "taken"))
        upload_taken(ctx, rq);
    else
        to_worker(ctx, rq, upload_job);
}

static void download_job(void *arg)
{
    struct job *j = arg;
    const char *n = http_query_find(&j->rq->head, "n");
    unsigned long long left = n ? strtoull(n, NULL, 10) : 0;
    struct stream *s = http_take(j->rq);
    struct error *e = http_stream_head(
        s, 0, &(struct http_reply){.status = 200, .type = "application/octet-stream"}, -1);

    while (!e && left) {
        size_t part = (size_t)MIN(left, sizeof(j->app->block));

        e = stream_write(s, j->app->block, part);
        left -= part;
    }
    IGNORE_ERROR(e);
    http_request_free(j->rq);
    stream_close(s);
}

static void download(void *ctx, struct http_request *rq)
{
    to_worker(ctx, rq, download_job);
}

/* Consoles: the other side of a socket pair sends everything back. */
static void *echo_main(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[16384];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0, done; at < n; at += done) {
            done = write(fd, buf + at, (size_t)(n - at));
            if (done <= 0)
                break;
        }
    }
    close(fd);
    return NULL;
}

static int echo_peer(pthread_t *ret)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        pthread_create(ret, NULL, echo_main, (void *)(intptr_t)pair[1]) != 0)
        abort();
    return pair[0];
}

static void console_job(void *arg)
{
    struct job *j = arg;
    struct stream *s = http_take(j->rq);
    pthread_t thread;
    int fd = echo_peer(&thread);

    http_request_free(j->rq);
    struct error *e = http_stream_head(s, 1, &(struct http_reply){.status = 200}, -1);

    if (!e)
        e = relay_stream(s, fd, 20 * SECOND_US, NULL);
    IGNORE_ERROR(e);
    stream_close(s);
    close(fd);
    pthread_join(thread, NULL);
}

static void console(void *ctx, struct http_request *rq)
{
    to_worker(ctx, rq, console_job);
}

static void websocket_job(void *arg)
{
    struct job *j = arg;
    struct websocket *ws = NULL;
    struct error *e = websocket_accept(j->rq, &ws);
    pthread_t thread;

    http_request_free(j->rq);
    if (!e) {
        int fd = echo_peer(&thread);

        e = relay_websocket(ws, fd, 20 * SECOND_US, NULL);
        close(fd);
        pthread_join(thread, NULL);
        websocket_close(ws, 1000);
    }
    IGNORE_ERROR(e);
}

static void websocket(void *ctx, struct http_request *rq)
{
    to_worker(ctx, rq, websocket_job);
}

static void path_length(void *ctx, struct http_request *rq)
{
    reply_number(rq, strlen(rq->head.path));
}

struct options {
    const char *unix_path;
    const char *web_dir;
    const char *tls_dir;
    bool tcp;
    unsigned pollers;
    enum plain_http_policy policy;
    struct server_limits limits;
};

static int64_t *time_limit(struct server_limits *l, const char *name)
{
    return streq(name, "read")     ? &l->read_us
           : streq(name, "head")   ? &l->head_us
           : streq(name, "idle")   ? &l->idle_us
           : streq(name, "write")  ? &l->write_us
           : streq(name, "linger") ? &l->linger_us
                                   : NULL;
}

static unsigned *count_limit(struct server_limits *l, const char *name)
{
    return streq(name, "max-head")      ? &l->max_head
           : streq(name, "max-unix")    ? &l->max_unix
           : streq(name, "max-tcp")     ? &l->max_tcp
           : streq(name, "max-address") ? &l->max_per_address
                                        : NULL;
}

/* NAME=NUMBER, times in milliseconds. */
static bool parse_limit(struct server_limits *l, char *text)
{
    char *value = strchr(text, '=');

    if (!value)
        return false;
    *value++ = 0;
    int64_t *time = time_limit(l, text);
    unsigned *count = count_limit(l, text);

    if (time)
        *time = strtoll(value, NULL, 10) * 1000;
    if (count)
        *count = (unsigned)strtoul(value, NULL, 10);
    return time || count;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"unix", required_argument, NULL, 'u'},  {"tcp", no_argument, NULL, 't'},
        {"tls", required_argument, NULL, 's'},   {"web", required_argument, NULL, 'w'},
        {"limit", required_argument, NULL, 'l'}, {"pollers", required_argument, NULL, 'p'},
        {"redirect", no_argument, NULL, 'r'},    {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
        if (c == 'u')
            o->unix_path = optarg;
        else if (c == 't')
            o->tcp = true;
        else if (c == 's')
            o->tls_dir = optarg;
        else if (c == 'w')
            o->web_dir = optarg;
        else if (c == 'p')
            o->pollers = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'r')
            o->policy = PLAIN_REDIRECT;
        else if (c != 'l' || !parse_limit(&o->limits, optarg))
            return false;
    }
    return optind == argc;
}

static struct error *listen_all(struct app *app, const struct options *o)
{
    uint16_t tcp = 0, tls = 0;

    if (o->unix_path)
        TRY(server_listen_unix(app->server, o->unix_path));
    if (o->tcp)
        TRY(server_listen_tcp(app->server, "127.0.0.1", 0, PEER_TCP, &tcp));
    if (o->tls_dir)
        TRY(server_listen_tcp(app->server, "::1", 0, PEER_TLS, &tls));
    TRY(server_start(app->server));
    printf("{\"tcp\":%u,\"tls\":%u}\n", tcp, tls);
    fflush(stdout);
    return NULL;
}

static struct error *run(struct app *app, const struct options *o)
{
    _cleanup_(cleanup_tls) struct tls *tls = NULL;
    struct static_files *files;
    char c;

    if (o->tls_dir) {
        _cleanup_free_ char *pem = NULL;

        TRY(tls_ensure_certificate(o->tls_dir, "localhost", &pem));
        TRY(tls_new(pem, &tls));
    }
    TRY(static_files_new(o->web_dir ? o->web_dir : "/", &files));
    static_files_set_policy(files, o->policy);
    TRY(workers_new("work", 32, 256, &app->workers));
    const struct http_route routes[] = {
        {VERB_GET, "/", 0, 0, static_files_serve, files},
        {VERB_HEAD, "/hello", 0, 0, hello, app},
        {VERB_GET, "/hello", 0, 0, hello, app},
        {VERB_GET, "/head", 0, 0, echo_head, app},
        {VERB_GET, "/head/longer", 0, 0, path_length, app},
        {VERB_GET, "/big", 0, 0, big, app},
        {VERB_GET, "/park", 0, 0, park, app},
        {VERB_GET, "/release", 0, 0, release, app},
        {VERB_GET, "/counts", 0, 0, counts, app},
        {VERB_GET, "/later", 0, 0, later, app},
        {VERB_GET, "/drop", 0, 0, drop, app},
        {VERB_GET, "/download", 0, ROUTE_STREAM, download, app},
        {VERB_GET, "/ws", 0, ROUTE_STREAM, websocket, app},
        {VERB_POST, "/", HTTP_RPC_MAX_BODY, 0, echo, app},
        {VERB_PUT, "/upload", 0, ROUTE_STREAM, upload, app},
        {VERB_CONNECT, "/console", 0, ROUTE_STREAM, console, app},
    };
    struct server_config config = {.n_pollers = o->pollers,
                                   .routes = routes,
                                   .n_routes = ARRAY_SIZE(routes),
                                   .tls = tls,
                                   .limits = o->limits};

    TRY(server_new(&config, &app->server));
    TRY(listen_all(app, o));
    while (read(STDIN_FILENO, &c, 1) > 0 || errno == EINTR)
        errno = 0;
    bool all = server_stop(app->server, 5 * SECOND_US);

    workers_free(app->workers);
    if (!all)
        return error_text("requests were left over");
    server_free(app->server);
    static_files_free(files);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct app app;
    struct options o = {.policy = PLAIN_SERVE};
    struct rlimit files;

    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "see the source for the options\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    memset(app.hello, 'h', sizeof(app.hello));
    for (size_t i = 0; i < sizeof(app.block); i++)
        app.block[i] = (char)('a' + i % 23);
    pthread_mutex_init(&app.lock, NULL);
    list_init(&app.parked);
    struct error *e = run(&app, &o);

    if (e) {
        _cleanup_free_ char *text = error_string(e);

        fprintf(stderr, "http_server_main: %s\n", text);
        error_free(e);
        return 1;
    }
    printf("ended in order\n");
    return 0;
}
