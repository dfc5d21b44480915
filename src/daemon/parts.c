/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/parts.h"

#include "api/chores.h"
#include "api/http/transfers.h"
#include "api/plans.h"
#include "api/setup/setup.h"
#include "api/vm/host_events.h"
#include "api/vm_appliance/autostart.h"
#include "auth/guesses.h"
#include "auth/refusals.h"
#include "auth/sessions.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ticker.h"
#include "base/workers.h"
#include "base/world.h"
#include "daemon/chores.h"
#include "daemon/launcher.h"
#include "daemon/take_over.h"
#include "db/db.h"
#include "gen/messages.h"
#include "model/store.h"
#include "proto/client.h"
#include "rpc/left.h"
#include "rpc/rpc.h"
#include "task/audit.h"
#include "task/callers.h"
#include "task/engine.h"
#include "task/tally.h"
#include "task/traces.h"
#include "task/waiting.h"
#include "wire/static_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define GUESSES_A_DELAY 10 /* wrong passwords of one address, in the long run */
#define WORKERS_MAX     48
#define WORKERS_QUEUE   4096
#define TRANSFERS_MAX   192
#define TRANSFERS_QUEUE 64
#define HOSTD_WAIT_US   (30 * SECOND_US)
#define DRAIN_US        (2 * SECOND_US)
#define PAUSE_US        200000 /* for short calls while everybody waits for the next program */

static char *state_path(const struct parts *p, const char *name)
{
    return xasprintf("%s/%s", p->d.state_dir, name);
}

static struct error *note_pid(struct parts *p)
{
    _cleanup_free_ char *pid = state_path(p, "run/xenolithd.pid");
    _cleanup_free_ char *text = xasprintf("%d\n", (int)getpid());

    return io_replace_file(pid, text, strlen(text), 0644);
}

static struct error *start_state(struct parts *p)
{
    _cleanup_free_ char *run = state_path(p, "run");
    _cleanup_free_ char *lock = state_path(p, "run/xenolithd.lock");

    TRY(take_over_begin(&p->take_over));
    if (p->take_over)
        return NULL; /* the lock is handed over too */
    listen_fds_activated(&p->listen);
    TRY(io_mkdir_p(run, 0700));
    p->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->lock_fd < 0)
        return error_errno(errno, "cannot open %s", lock);
    struct error *e = io_lock(p->lock_fd);

    return e ? error_prepend(e, "another xenolithd uses %s; stop it first", p->d.state_dir)
             : note_pid(p);
}

static void stop_state(struct parts *p)
{
    _cleanup_free_ char *pid = state_path(p, "run/xenolithd.pid");

    if (p->lock_fd >= 0) /* else the directory is another program's */
        IGNORE_ERROR(io_unlink(pid));
    cleanup_close(&p->lock_fd);
    listen_fds_fini(&p->listen);
}

static struct error *load_certificate(struct parts *p)
{
    _cleanup_free_ char *pem = NULL;
    char host[256] = "localhost";

    if (p->tls)
        return NULL;
    gethostname(host, sizeof(host) - 1);
    TRY(tls_ensure_certificate(p->d.state_dir, host, &pem));
    TRY(tls_new(pem, &p->tls));
    p->d.tls = p->tls;
    return NULL;
}

/* Waits for the program before this one, if there is one, to let go of the store. */
static struct error *start_take_over(struct parts *p)
{
    if (!p->take_over)
        return NULL;
    TRY(load_certificate(p)); /* while the other one serves */
    return take_over_await(p->take_over, &p->listen, &p->link_list, &p->lock_fd);
}

static void warn(const char *text)
{
    log_warning("%s", text);
}

static void warn_of_store(void *ctx, const char *text)
{
    log_warning("%s", text);
}

/* An empty file is a new store, but not where there is a certificate, which is made last. */
static struct error *check_not_emptied(struct parts *p, const char *path)
{
    _cleanup_free_ char *pem = state_path(p, "host.pem");
    struct stat st;

    if (stat(path, &st) < 0 || st.st_size > 0 || access(pem, F_OK) < 0)
        return NULL;
    return error_text("%s is empty, although this host was in use: put a saved copy there, or "
                      "remove it to begin anew, which ends running guests",
                      path);
}

/*
 * After a failed flush nobody knows what the disk has, and asking again tells nothing: the kernel
 * has dropped the pages. The next daemon reads what is there; nobody has been answered yet.
 */
static _noreturn_ void on_lost_commit(const struct error *why)
{
    _cleanup_free_ char *text = error_string(why);

    log_error("%s: whether the disk has this commit is unknown; ending, to read it anew", text);
    _exit(1);
}

static struct error *start_store(struct parts *p)
{
    _cleanup_free_ char *path = state_path(p, "store.db");
    _cleanup_free_ char *soft_rows = state_path(p, "soft-rows");

    const char *id = json_string_value(take_over_get(p->take_over, "program"));
    const struct store_notes notes = {
        .warn = warn_of_store,
        .soft = take_over_get(p->take_over, "store"),
        .retell = !id || !streq(id, launcher_program_id(p->launcher)),
        .soft_rows = soft_rows,
    };

    TRY(check_not_emptied(p, path));
    TRY(store_open_file(path, &notes, &p->d.store));
    store_on_lost_commit(p->d.store, on_lost_commit);
    return NULL;
}

static void stop_store(struct parts *p)
{
    store_close(p->d.store);
}

static struct error *start_threads(struct parts *p)
{
    TRY(store_start(p->d.store));
    TRY(workers_new("work", WORKERS_MAX, WORKERS_QUEUE, &p->d.workers));
    TRY(workers_new("transfer", TRANSFERS_MAX, TRANSFERS_QUEUE, &p->d.transfers));
    p->d.under_way = transfers_new();
    TRY(waiting_new(p->d.store, &p->d.waiting));
    _cleanup_free_ char *audit = state_path(p, "audit");

    TRY(audit_new(audit, &p->d.audit));
    _cleanup_free_ char *traces = state_path(p, "traces");

    TRY(traces_new(p->d.store, p->d.hostd, traces, &p->d.traces));
    p->d.tally = tally_new(MID_MAX, p->d.store);
    p->d.sessions = sessions_new(p->options->login_delay_us);
    p->d.guesses = guesses_new(p->options->login_delay_us / GUESSES_A_DELAY);
    p->d.refusals = refusals_new();
    sessions_read(p->d.sessions, take_over_get(p->take_over, "sessions"));
    p->d.callers = callers_new();
    p->d.left = left_new();
    p->d.engine = engine_new(&p->d, plan_types);
    return NULL;
}

/* Its connection has not come from the program before us: it goes to the next one. */
static void keep_caller(void *left, const char *task)
{
    left_add_caller(left, task);
}

/* Nobody asks hostd or wakes anybody any more, so whoever still runs ends soon. */
static void stop_threads(struct parts *p)
{
    waiting_stop(p->d.waiting);
    workers_free(p->d.workers);
    store_settle(p->d.store); /* their answers are with the server then */
    if (!p->next)
        workers_free(TAKE_PTR(p->d.transfers));
    engine_free(p->d.engine);
    /* Requests that ended a moment ago may still be told of a client that went. */
    if (p->d.server)
        server_pause(p->d.server);
    waiting_free(p->d.waiting);
    tally_stop(p->d.tally);
    traces_stop(p->d.traces);
    if (p->d.callers && p->d.left)
        callers_each_missing(p->d.callers, keep_caller, p->d.left);
    callers_free(p->d.callers);
}

/* hostd's callbacks run on one thread of its own, where asking hostd is allowed. */
static void on_event(void *ctx, const struct host_event_rec *event)
{
    struct parts *p = ctx;

    if (__atomic_load_n(&p->follows, __ATOMIC_ACQUIRE))
        vm_host_event(&p->d, event);
}

static void reconcile(struct parts *p)
{
    log_and_free(LOG_WARNING, setup_reconcile(&p->d, warn), "cannot compare with the host");
    struct error *e = vm_reconcile(&p->d);

    if (!e)
        e = vm_autostart(&p->d);
    log_and_free(LOG_WARNING, e, "cannot compare VMs with the host");
}

static void on_connect(void *ctx, const struct host_hello_result *hello)
{
    struct parts *p = ctx;

    log_info("connected to xenolith-hostd %s, driver %s", hello->version, hello->driver);
    if (__atomic_load_n(&p->reconciled, __ATOMIC_ACQUIRE))
        reconcile(p);
}

static struct error *await_hostd(struct parts *p)
{
    struct error *e = hostd_await(p->d.hostd, HOSTD_WAIT_US);

    return e ? error_prepend(e, "xenolith-hostd does not answer; is it started with --state %s?",
                             p->d.state_dir)
             : NULL;
}

static struct error *start_hostd(struct parts *p)
{
    const char *given = p->options->hostd;
    _cleanup_free_ char *socket = given ? xstrdup(given) : state_path(p, "run/hostd");
    const struct hostd_config config = {
        .socket_path = socket,
        .version = p->d.version,
        .on_connect = on_connect,
        .on_event = on_event,
        .ctx = p,
    };

    TRY(hostd_open(&config, &p->d.hostd));
    /* Nobody notices the wait while the program before us serves; else the store is read meanwhile.
     */
    return p->take_over ? await_hostd(p) : NULL;
}

static void stop_hostd(struct parts *p)
{
    hostd_close(p->d.hostd);
}

/* A program that was killed closed nothing of what it read and wrote. */
static struct error *end_transfers_of_the_killed(struct parts *p)
{
    const struct host_vdi_nbd_close_all_args args = {0};
    struct arena a;

    arena_init(&a);
    struct error *e = hostd_vdi_nbd_close_all(p->d.hostd, &args, &a, NULL);

    arena_fini(&a);
    return e;
}

static void review_people(void *ctx, struct ticker *ticker)
{
    struct parts *p = ctx;
    struct error *e = api_review_people(&p->d, ticker);

    if (e && !hostd_is_away(e))
        log_and_free(LOG_WARNING, e, "cannot look people with sessions up again");
    else
        error_free(e);
}

static struct error *start_reviewer(struct parts *p)
{
    const int64_t every = p->options->directory_check_us;

    return every ? ticker_start(every, review_people, p, &p->reviewer) : NULL;
}

static struct error *take_charge(struct parts *p)
{
    TRY(await_hostd(p));
    if (!p->take_over)
        log_and_free(LOG_WARNING, end_transfers_of_the_killed(p), "cannot close disks");
    left_expect(&p->d, take_over_get(p->take_over, "left"));
    TRY(setup_rows(&p->d));
    /* Plans wait for events of their guests. */
    __atomic_store_n(&p->follows, true, __ATOMIC_RELEASE);
    TRY(p->take_over ? engine_take_over(p->d.engine) : engine_recover(p->d.engine));
    left_run(&p->d, take_over_get(p->take_over, "left"));
    reconcile(p);
    __atomic_store_n(&p->reconciled, true, __ATOMIC_RELEASE);
    TRY(start_reviewer(p));
    return chores_start(&p->d, &p->chores);
}

/* Rows may be missing: nothing is concluded from that, nothing is done by itself. */
static struct error *only_tell(struct parts *p)
{
    log_error("%s", store_read_only(p->d.store));
    log_error("calls that only read are answered; guests go on and are not touched. To go on: stop "
              "xenolithd, then xenolith-verify --state %s --repair",
              p->d.state_dir);
    setup_read_only(&p->d);
    return NULL;
}

static struct error *start_model(struct parts *p)
{
    TRY(load_certificate(p)); /* which has a row */
    struct error *e = store_read_only(p->d.store) ? NULL : take_charge(p);

    if (!store_read_only(p->d.store))
        return e;
    error_free(e); /* the first commit met the damage: the reason is known */
    return only_tell(p);
}

static void stop_model(struct parts *p)
{
    chores_stop(p->chores);
    engine_stop(p->d.engine);
    workers_settle(p->d.workers, p->next ? PAUSE_US : DRAIN_US);
    atomic_store(&p->d.leaving, true);
    hostd_cut(p->d.hostd);
    ticker_stop(TAKE_PTR(p->reviewer)); /* which may have waited for hostd */
    if (p->next)
        transfers_await_left(p->d.under_way);
}

static struct error *note_port(struct parts *p, const char *name, uint16_t port)
{
    _cleanup_free_ char *file = xasprintf("%s/run/%s.port", p->d.state_dir, name);
    _cleanup_free_ char *text = xasprintf("%u\n", port);

    return io_replace_file(file, text, strlen(text), 0644);
}

/* Gives the server a socket of its own; ours goes to the next program. */
static struct error *listen_with(struct parts *p, enum listen_name name, enum http_peer_kind kind)
{
    int fd = fcntl(p->listen.fd[name], F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return error_errno(errno, "cannot duplicate a socket");
    return server_listen(p->d.server, fd, kind);
}

static struct error *listen_local(struct parts *p)
{
    _cleanup_free_ char *socket = state_path(p, "run/xapi");
    int *fd = &p->listen.fd[LISTEN_XAPI];

    if (*fd < 0)
        TRY(io_listen_unix(socket, SOCK_STREAM, 0600, fd));
    return listen_with(p, LISTEN_XAPI, PEER_UNIX);
}

static struct error *listen_on(struct parts *p, const char *where, enum listen_name name,
                               enum http_peer_kind kind)
{
    _cleanup_free_ char *address = NULL;
    int *fd = &p->listen.fd[name];
    uint16_t port;

    if (streq(where, "off")) {
        cleanup_close(fd);
        return NULL;
    }
    TRY(options_address(where, &address, &port));
    struct error *e = *fd < 0 ? server_bind_tcp(address, port, fd) : NULL;

    if (!e)
        e = listen_with(p, name, kind);
    if (e)
        return error_prepend(e, "--%s %s", listen_names[name], where);
    port = server_bound_port(*fd);
    log_info("listening on %s port %u (%s)", *address ? address : "every address", port,
             listen_names[name]);
    return note_port(p, listen_names[name], port);
}

/* Plain requests for files go to where TLS is; without it there is no better place. */
static void redirect_files(struct parts *p)
{
    int fd = p->listen.fd[LISTEN_TLS];

    if (fd >= 0)
        static_files_set_tls_port(p->files, server_bound_port(fd));
    else
        static_files_set_policy(p->files, PLAIN_SERVE);
}

static struct error *start_server(struct parts *p)
{
    struct http_route routes[RPC_ROUTES + HTTP_HANDLER_ROUTES + 2];
    size_t n;

    TRY(load_certificate(p));
    n = rpc_routes(&p->d, routes);
    n += http_handler_routes(&p->d, p->handlers, routes + n);
    if (p->options->web_dir) {
        TRY(static_files_new(p->options->web_dir, &p->files));
        routes[n++] = (struct http_route){VERB_GET, "/", 0, 0, static_files_serve, p->files};
        routes[n++] = (struct http_route){VERB_HEAD, "/", 0, 0, static_files_serve, p->files};
    }
    const struct server_config config = {.routes = routes, .n_routes = n, .tls = p->tls};

    TRY(server_new(&config, &p->d.server));
    TRY(listen_local(p));
    TRY(listen_on(p, p->options->http, LISTEN_HTTP, PEER_TCP));
    TRY(listen_on(p, p->options->tls, LISTEN_TLS, PEER_TLS));
    if (p->files)
        redirect_files(p);
    TRY(server_start(p->d.server));
    if (!p->take_over)
        return NULL;
    if (p->link_list.n)
        TRY(links_start(&p->d, &p->link_list, &p->links));
    TRY(note_pid(p));
    return take_over_serve(p->take_over, p->d.server);
}

static void stop_server(struct parts *p)
{
    if (!p->next)
        transfers_cancel(p->d.under_way);
    if (p->d.server)
        server_pause(p->d.server);
    if (p->next)
        transfers_leave(p->d.under_way, p->next);
    if (p->links)
        links_stop(TAKE_PTR(p->links), &p->link_list);
}

static void stop_nothing(struct parts *p)
{
}

static const struct part {
    const char *name;
    struct error *(*start)(struct parts *p);
    void (*stop)(struct parts *p);
} table[] = {
    {"state directory", start_state, stop_state}, {"host", start_hostd, stop_hostd},
    {"take over", start_take_over, stop_nothing}, {"store", start_store, stop_store},
    {"threads", start_threads, stop_threads},     {"model", start_model, stop_model},
    {"server", start_server, stop_server},
};

#define PART_STORE 3

static struct error *start_cli(void *ctx, const int fds[2])
{
    return launcher_cli(ctx, fds);
}

struct error *parts_start(struct parts *p, const struct options *o, struct launcher *l)
{
    *p = (struct parts){.options = o, .launcher = l, .lock_fd = -1};
    listen_fds_init(&p->listen);
    p->d.state_dir = o->state_dir;
    p->d.start_cli = start_cli;
    p->d.start_cli_ctx = l;
    p->d.version = XENOLITH_VERSION;
    p->d.date = XENOLITH_DATE;
    for (; p->started < ARRAY_SIZE(table); p->started++) {
        int64_t start = mono_us();
        struct error *e = table[p->started].start(p);

        log_debug("%s: %lld us", table[p->started].name, (long long)(mono_us() - start));
        if (e) {
            p->started++; /* what it got is released by its stop */
            return error_prepend(e, "%s", table[p->started - 1].name);
        }
    }
    return NULL;
}

void parts_go_quiet(struct parts *p, const struct transfer_successor *next)
{
    p->next = next;
    while (p->started > PART_STORE + 1)
        table[--p->started].stop(p);
}

void parts_let_go(struct parts *p)
{
    table[--p->started].stop(p);
}

void parts_stop(struct parts *p)
{
    while (p->started > 0)
        table[--p->started].stop(p);
    take_over_free(p->take_over);
    link_list_fini(&p->link_list);
    workers_free(p->d.transfers);
    /* The server outlives the workers, which answer requests while they end. Those left are none.
     */
    if (p->d.server) {
        bool all = server_stop(p->d.server, DRAIN_US);

        assert(all);
        server_free(p->d.server);
    }
    transfers_free(p->d.under_way);
    sessions_free(p->d.sessions);
    guesses_free(p->d.guesses);
    refusals_free(p->d.refusals);
    tally_free(p->d.tally);
    audit_free(p->d.audit);
    traces_free(p->d.traces);
    left_free(p->d.left);
    tls_free(p->tls);
    static_files_free(p->files);
    setup_end(&p->d);
}
