/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bringing the host up in order, and down in reverse. */
#include "hostd/machine.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/ticker.h"
#include "hostd/accounts.h"
#include "hostd/collector.h"
#include "hostd/guests.h"
#include "hostd/mount_helper.h"
#include "hostd/options.h"
#include "hv/hv.h"
#include "hv/qmp.h"
#include "net/net.h"
#include "proto/server.h"
#include "storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>

#define MAX_THREADS 64

static struct error *make_directories(struct machine *m)
{
    static const char *const dirs[] = {"run", "run/storage", "sr", "iso", "mnt", "boot"};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", m->state_dir, dirs[i]);

        TRY(io_mkdir_p(path, 0700));
    }
    return NULL;
}

/* Who may write to the state of a program that runs as root could lead it anywhere: by a link in
 * place of a directory, or by words in a record. */
static struct error *check_state_owner(const struct machine *m)
{
    struct stat st;

    if (stat(m->state_dir, &st) < 0)
        return error_errno(errno, "cannot look at %s", m->state_dir);
    if (geteuid() == 0 && (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)))
        return error_text("%s must belong to root, and nobody else may write to it", m->state_dir);
    return NULL;
}

/* The user who may connect must come as far as the socket. */
static struct error *let_pass(const struct machine *m, const struct options *o)
{
    _cleanup_free_ char *run = xasprintf("%s/run", m->state_dir);

    if (o->user && (chmod(m->state_dir, 0711) < 0 || chmod(run, 0711) < 0))
        return error_errno(errno, "cannot let %s pass through %s", o->user, m->state_dir);
    return NULL;
}

/* A second hostd on the same state would adopt the same guests. */
static struct error *lock_state(struct machine *m)
{
    _cleanup_free_ char *path = xasprintf("%s/run/hostd.lock", m->state_dir);

    m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (m->lock_fd < 0)
        return error_errno(errno, "cannot open %s", path);
    struct error *e = io_lock(m->lock_fd);

    return e ? error_prepend(e, "another xenolith-hostd uses %s", m->state_dir) : NULL;
}

static struct error *write_pid(struct machine *m)
{
    _cleanup_free_ char *path = xasprintf("%s/run/hostd.pid", m->state_dir);
    _cleanup_free_ char *text = xasprintf("%d\n", (int)getpid());

    return io_replace_file(path, text, strlen(text), 0644);
}

static struct error *read_boot_id(struct machine *m)
{
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file("/proc/sys/kernel/random/boot_id", 128, &text));
    snprintf(m->boot_id, sizeof(m->boot_id), "%.36s", str_cstr(&text));
    return NULL;
}

static void name_roots(struct machine *m)
{
    m->own_roots[0] = xasprintf("%s/sr", m->state_dir);
    m->own_roots[1] = xasprintf("%s/iso", m->state_dir);
    m->own_roots[2] = xasprintf("%s/mnt", m->state_dir);
    m->roots = (const char *const *)m->own_roots;
    m->n_roots = 2;
    m->n_disk_roots = ARRAY_SIZE(m->own_roots);
}

/* ---- hypervisor ---- */

static void on_event(void *ctx, const struct hv_event *ev)
{
    struct machine *m = ctx;
    struct host_event_rec rec = {.kind = hv_event_names[ev->kind],
                                 .uuid = ev->uuid,
                                 .state = hv_state_names[ev->state],
                                 .stop = hv_stop_names[ev->stop],
                                 .device = ev->device,
                                 .memory_actual = ev->memory_actual};

    /* Before there is a server and after, nobody listens; who connects asks for everything. */
    pthread_mutex_lock(&m->event_lock);
    if (m->server)
        host_server_push(m->server, &rec);
    pthread_mutex_unlock(&m->event_lock);
}

static struct error *open_hypervisor(struct machine *m, const struct options *o)
{
    struct hv_config config = {.state_dir = m->state_dir,
                               .disk_roots = m->roots,
                               .n_disk_roots = m->n_disk_roots,
                               .on_event = on_event,
                               .ctx = m};

    TRY(hv_open(o->hv, &config, &m->hv));
    const struct hv_caps *caps = hv_probe(m->hv);

    log_info("hypervisor: %s %s, %s (%s)", caps->driver, caps->version, caps->accelerator,
             caps->why);
    return net_open(streq(caps->driver, "sim")     ? "sim"
                    : streq(caps->driver, "libxl") ? "bridge"
                                                   : "user",
                    &m->net);
}

/* ---- storage ---- */

static void on_lost_sr(void *arg, const char *sr, struct error *e)
{
    log_and_free(LOG_ERROR, e, "cannot attach SR %s", sr);
}

static struct error *open_storage(struct machine *m, const struct options *o)
{
    _cleanup_free_ char *run = xasprintf("%s/run/storage", m->state_dir);

    m->loop = qmp_loop_start();
    struct storage_config config = {.state_dir = m->state_dir,
                                    .run_dir = run,
                                    .roots = m->roots,
                                    .n_roots = m->n_roots,
                                    .loop = m->loop,
                                    .mount_root = m->own_roots[2],
                                    .mounter = o->mount_helper ? &mounter_helper : NULL,
                                    .mounter_ctx = o->mount_helper,
                                    .block_devices = hv_probe(m->hv)->block_devices};

    TRY(storage_new(&config, &m->storage));
    storage_restore(m->storage, on_lost_sr, m);
    return NULL;
}

/* ---- the socket ---- */

static struct error *find_user(const char *name, uid_t *ret)
{
    char buf[4096];
    struct passwd pw, *found = NULL;

    *ret = (uid_t)-1;
    if (!name)
        return NULL;
    int r = getpwnam_r(name, &pw, buf, sizeof(buf), &found);

    if (!found)
        return error_errno(r, "there is no user %s", name);
    *ret = pw.pw_uid;
    return NULL;
}

static struct error *serve(struct machine *m, const struct options *o)
{
    _cleanup_free_ char *path = xasprintf("%s/run/hostd", m->state_dir);
    struct host_server_config config = {.max_threads = MAX_THREADS, .ctx = m};
    struct host_server *server;

    config.socket_path = path;
    TRY(find_user(o->user, &config.user));
    TRY(host_server_start(&config, &server));
    pthread_mutex_lock(&m->event_lock);
    m->server = server;
    pthread_mutex_unlock(&m->event_lock);
    return NULL;
}

struct error *machine_start(struct machine *m, const struct options *o)
{
    *m = (struct machine){.lock_fd = -1};
    pthread_mutex_init(&m->event_lock, NULL);
    pthread_mutex_init(&m->copies_lock, NULL);
    pthread_mutex_init(&m->lent_lock, NULL);
    list_init(&m->copies);
    m->manages_machine = o->manage_machine;
    turns_init(&m->vms);
    /* Guests and storage daemons are told paths; ours must hold wherever they stand. */
    TRY(io_mkdir_p(o->state_dir, 0700));
    m->state_dir = m->own_state_dir = realpath(o->state_dir, NULL);
    if (!m->state_dir)
        return error_errno(errno, "cannot find %s", o->state_dir);
    m->api_state_dir = o->api_state ? o->api_state : m->state_dir;
    TRY(check_state_owner(m));
    TRY(make_directories(m));
    TRY(let_pass(m, o));
    TRY(lock_state(m));
    TRY(read_boot_id(m));
    TRY(accounts_open(m->state_dir, o->auth, &m->accounts));
    name_roots(m);
    TRY(open_hypervisor(m, o));
    TRY(open_storage(m, o));
    TRY(guests_open(m));
    guests_restore(m);
    TRY(collector_start(m->storage, o->merge_pause_us, &m->collector));
    TRY(serve(m, o));
    return write_pid(m);
}

void machine_stop(struct machine *m)
{
    struct host_server *server = m->server;

    if (!m->own_state_dir)
        return;
    if (server) {
        _cleanup_free_ char *pid = xasprintf("%s/run/hostd.pid", m->state_dir);

        pthread_mutex_lock(&m->event_lock);
        m->server = NULL;
        pthread_mutex_unlock(&m->event_lock);
        host_server_stop(server);
        IGNORE_ERROR(io_unlink(pid));
    }
    ticker_stop(m->collector);
    guests_close(m);
    storage_free(m->storage);
    hv_close(m->hv);
    if (m->loop)
        qmp_loop_stop(m->loop);
    net_close(m->net);
    accounts_close(m->accounts);
    turns_fini(&m->vms);
    pthread_mutex_destroy(&m->event_lock);
    pthread_mutex_destroy(&m->copies_lock);
    handles_forget(m);
    pthread_mutex_destroy(&m->lent_lock);
    cleanup_close(&m->lock_fd);
    for (size_t i = 0; i < ARRAY_SIZE(m->own_roots); i++)
        free(m->own_roots[i]);
    free(TAKE_PTR(m->own_state_dir));
}
