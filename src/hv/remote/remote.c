/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The proxy in hostd. One thread starts the worker and reads what it says; callers wait. */
#include "hv/remote/remote.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/wait.h"
#include "base/world.h"
#include "hv/remote/codec.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WORKER_FD   3
#define PATIENCE_US (30 * SECOND_US) /* for a worker that is being started again */
#define REST_US     SECOND_US        /* between two starts */

#ifndef XENOLITH_LIBEXEC
#define XENOLITH_LIBEXEC "/usr/libexec/xenolith"
#endif

struct waiting {
    struct list link;
    uint64_t id;
    bool done;
    json_t *result;
    struct error *error;
    int fd;
};

struct remote {
    struct hv hv;
    const struct hv_config *config;
    struct hv_config own;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic clock */
    pthread_mutex_t write_lock;
    struct list calls;
    uint64_t next_id;
    int fd;      /* -1 = no worker */
    bool ready;  /* it has told its caps */
    bool opened; /* there was a ready one */
    bool closing;
    struct error *why; /* the first worker did not come up */
    pid_t pid;
    struct arena arena; /* of caps */
    struct hv_caps caps;
};

static struct remote *remote_of(struct hv *hv)
{
    return container_of(hv, struct remote, hv);
}

static struct error *is_away(void)
{
    return error_errno(EHOSTDOWN, "the program that speaks to the hypervisor is away");
}

/* Until `deadline` (monotonic us). With the lock. */
static bool await_change(struct remote *r, int64_t deadline)
{
    return cond_wait_until(&r->changed, &r->lock, deadline);
}

/* ---- callers ---- */

static struct error *send_call(struct remote *r, uint64_t id, const char *name, const json_t *args,
                               int fd)
{
    _cleanup_json_ json_t *j =
        json_pack("{s:I, s:s, s:O}", "id", (json_int_t)id, "call", name, "args", args);
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

    pthread_mutex_lock(&r->write_lock);
    struct error *e =
        r->fd < 0 ? is_away() : frame_send(r->fd, text, strlen(text), &fd, fd >= 0 ? 1 : 0);

    pthread_mutex_unlock(&r->write_lock);
    return e;
}

/* Puts w among those who wait; there must be a worker that is ready. */
static struct error *enter(struct remote *r, struct waiting *w)
{
    int64_t deadline = mono_us() + PATIENCE_US;

    pthread_mutex_lock(&r->lock);
    while (!r->ready && !r->closing && await_change(r, deadline))
        ;
    bool there = r->ready;

    if (there) {
        w->id = r->next_id++;
        list_append(&r->calls, &w->link);
    }
    pthread_mutex_unlock(&r->lock);
    return there ? NULL : is_away();
}

/* args is taken. fd: sent along, borrowed, -1 = none. ret, ret_fd may be NULL. */
static struct error *call_fd(struct hv *hv, const char *name, json_t *args, int fd, json_t **ret,
                             int *ret_fd)
{
    struct remote *r = remote_of(hv);
    _cleanup_json_ json_t *own = args;
    struct waiting w = {.fd = -1};

    TRY(enter(r, &w));
    struct error *e = send_call(r, w.id, name, own, fd);

    pthread_mutex_lock(&r->lock);
    while (!e && !w.done)
        pthread_cond_wait(&r->changed, &r->lock);
    list_remove(&w.link);
    pthread_mutex_unlock(&r->lock);
    if (!e)
        e = TAKE_PTR(w.error);
    error_free(w.error);
    if (!e && ret)
        *ret = TAKE_PTR(w.result);
    if (!e && ret_fd)
        *ret_fd = TAKE_FD(w.fd);
    json_decref(w.result);
    cleanup_close(&w.fd);
    return e;
}

static struct error *call(struct hv *hv, const char *name, json_t *args, json_t **ret)
{
    return call_fd(hv, name, args, -1, ret, NULL);
}

static struct error *call_uuid(struct hv *hv, const char *name, const char *uuid)
{
    return call(hv, name, json_pack("{s:s}", "uuid", uuid), NULL);
}

static struct error *call_number(struct hv *hv, const char *name, const char *uuid, int64_t number)
{
    return call(hv, name, json_pack("{s:s, s:I}", "uuid", uuid, "number", (json_int_t)number),
                NULL);
}

/* ---- the worker ---- */

static struct error *start_worker(struct remote *r, int theirs)
{
    _cleanup_spawn_ struct spawn s;

    spawn_init(&s, r->config->worker ? r->config->worker : XENOLITH_LIBEXEC "/xenolith-libxl");
    spawn_add(&s, "--state");
    spawn_add(&s, r->config->state_dir);
    for (size_t i = 0; i < r->config->n_disk_roots; i++) {
        spawn_add(&s, "--root");
        spawn_add(&s, r->config->disk_roots[i]);
    }
    if (r->opened)
        spawn_add(&s, "--again");
    if (log_wants(LOG_DEBUG))
        spawn_add(&s, "--debug");
    spawn_pass_fd(&s, theirs, WORKER_FD);
    s.stderr_fd = STDERR_FILENO;
    s.session = true;
    return spawn_start(&s, &r->pid);
}

static struct error *connect_worker(struct remote *r)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket pair");
    _cleanup_close_ int ours = pair[0], theirs = pair[1];

    TRY(start_worker(r, theirs));
    pthread_mutex_lock(&r->lock);
    pthread_mutex_lock(&r->write_lock);
    r->fd = TAKE_FD(ours);
    pthread_mutex_unlock(&r->write_lock);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static struct error *take_caps(struct remote *r, const json_t *j)
{
    const json_t *error = json_object_get(j, "error");

    if (error)
        return message_error(error);
    struct hv_caps caps;

    TRY(hv_from_json(&r->arena, &hv_caps_shape, json_object_get(j, "result"), &caps));
    pthread_mutex_lock(&r->lock);
    /* Whoever asked before may still use the first ones. */
    if (!r->opened)
        r->caps = caps;
    r->ready = r->opened = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void answer(struct remote *r, uint64_t id, const json_t *j, struct frame *f)
{
    const json_t *error = json_object_get(j, "error");
    struct waiting *w;

    pthread_mutex_lock(&r->lock);
    list_foreach (w, &r->calls, link) {
        if (w->id != id || w->done)
            continue;
        w->done = true;
        w->error = error ? message_error(error) : NULL;
        w->result = json_incref(json_object_get(j, "result"));
        if (f->n_fds)
            w->fd = f->fds[--f->n_fds];
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static struct error *tell(struct remote *r, const json_t *j)
{
    _cleanup_arena_ struct arena a;
    struct hv_event ev;

    arena_init(&a);
    TRY(hv_from_json(&a, &hv_event_shape, j, &ev));
    if (r->config->on_event)
        r->config->on_event(r->config->ctx, &ev);
    return NULL;
}

static struct error *read_one(struct remote *r)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(frame_recv(r->fd, FRAME_MAX_REPLY, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    const json_t *event = json_object_get(j, "event");
    uint64_t id = (uint64_t)json_integer_value(json_object_get(j, "id"));

    if (event)
        return tell(r, event);
    if (!id)
        return take_caps(r, j);
    answer(r, id, j, &f);
    return NULL;
}

/* The worker is gone or must go: nobody waits for its answers any more. */
static void drop_worker(struct remote *r)
{
    struct waiting *w;

    pthread_mutex_lock(&r->lock);
    pthread_mutex_lock(&r->write_lock);
    cleanup_close(&r->fd);
    pthread_mutex_unlock(&r->write_lock);
    r->ready = false;
    list_foreach (w, &r->calls, link) {
        if (!w->done)
            w->error = is_away();
        w->done = true;
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (r->pid > 0)
        waitpid(r->pid, NULL, 0); /* it ends when its socket does */
    r->pid = 0;
}

/* False = there is to be no other. */
static bool rest(struct remote *r, struct error *e)
{
    int64_t deadline = mono_us() + REST_US;

    pthread_mutex_lock(&r->lock);
    if (!r->opened && !r->closing) {
        r->why = TAKE_PTR(e);
        r->closing = true;
        pthread_cond_broadcast(&r->changed);
    }
    bool more = !r->closing;

    pthread_mutex_unlock(&r->lock);
    if (more)
        log_and_free(LOG_ERROR, e, "the hypervisor's worker ended and is started again");
    else
        error_free(e);
    pthread_mutex_lock(&r->lock);
    while (!r->closing && await_change(r, deadline))
        ;
    more = !r->closing;
    pthread_mutex_unlock(&r->lock);
    return more;
}

static void *run(void *arg)
{
    struct remote *r = arg;
    struct error *e;

    do {
        e = connect_worker(r);
        while (!e)
            e = read_one(r);
        drop_worker(r);
    } while (rest(r, e));
    return NULL;
}

static void remote_close(struct hv *hv)
{
    struct remote *r = remote_of(hv);

    pthread_mutex_lock(&r->lock);
    r->closing = true;
    if (r->fd >= 0)
        shutdown(r->fd, SHUT_RDWR);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    error_free(r->why);
    arena_fini(&r->arena);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->write_lock);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct error *remote_open(const struct hv_config *config, struct hv **ret)
{
    struct remote *r = xnew(struct remote);

    r->own = *config;
    r->config = &r->own;
    r->fd = -1;
    r->next_id = 1;
    list_init(&r->calls);
    arena_init(&r->arena);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->write_lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (pthread_create(&r->thread, NULL, run, r))
        abort();
    pthread_mutex_lock(&r->lock);
    while (!r->opened && !r->closing)
        pthread_cond_wait(&r->changed, &r->lock);
    struct error *e = TAKE_PTR(r->why);

    pthread_mutex_unlock(&r->lock);
    if (e) {
        remote_close(&r->hv);
        return e;
    }
    *ret = &r->hv;
    return NULL;
}

/* ---- operations ---- */

static const struct hv_caps *remote_probe(struct hv *hv)
{
    return &remote_of(hv)->caps;
}

static struct error *remote_host(struct hv *hv, struct arena *a, struct hv_host *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "host", json_object(), &j));
    return hv_from_json(a, &hv_host_shape, j, ret);
}

static struct error *remote_dmesg(struct hv *hv, struct arena *a, const char **ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "dmesg", json_object(), &j));
    *ret = arena_strdup(a, json_is_string(j) ? json_string_value(j) : "");
    return NULL;
}

static struct error *remote_list(struct hv *hv, struct arena *a, struct hv_domain **ret,
                                 size_t *ret_n)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "list", json_object(), &j));
    return hv_list_from_json(a, &hv_domain_shape, j, (void **)ret, ret_n);
}

static struct error *remote_query(struct hv *hv, const char *uuid, struct arena *a,
                                  struct hv_domain *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "query", json_pack("{s:s}", "uuid", uuid), &j));
    return hv_from_json(a, &hv_domain_shape, j, ret);
}

static struct error *remote_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                                  struct hv_started *ret)
{
    _cleanup_json_ json_t *j = NULL;
    json_t *args = json_pack("{s:o}", "start", hv_to_json(&hv_start_shape, p));

    TRY(call_fd(hv, "start", args, p->resume_fd, &j, NULL));
    return hv_from_json(a, &hv_started_shape, j, ret);
}

static struct error *remote_unpause(struct hv *hv, const char *uuid)
{
    return call_uuid(hv, "unpause", uuid);
}

static struct error *remote_pause(struct hv *hv, const char *uuid)
{
    return call_uuid(hv, "pause", uuid);
}

static struct error *remote_signal(struct hv *hv, const char *uuid, enum hv_signal signal)
{
    return call_number(hv, "signal", uuid, (int64_t)signal);
}

static struct error *remote_reset(struct hv *hv, const char *uuid)
{
    return call_uuid(hv, "reset", uuid);
}

static struct error *remote_destroy(struct hv *hv, const char *uuid)
{
    return call_uuid(hv, "destroy", uuid);
}

static struct error *remote_forget(struct hv *hv, const char *uuid)
{
    return call_uuid(hv, "forget", uuid);
}

static struct error *remote_suspend(struct hv *hv, const char *uuid, int fd, int64_t max)
{
    json_t *args = json_pack("{s:s, s:I}", "uuid", uuid, "number", (json_int_t)max);

    return call_fd(hv, "suspend", args, fd, NULL, NULL);
}

static struct error *remote_set_memory(struct hv *hv, const char *uuid, int64_t target)
{
    return call_number(hv, "set_memory", uuid, target);
}

static struct error *remote_set_vcpus(struct hv *hv, const char *uuid, int vcpus)
{
    return call_number(hv, "set_vcpus", uuid, vcpus);
}

static struct error *remote_set_scheduling(struct hv *hv, const char *uuid, const char *key,
                                           const char *value)
{
    return call(hv, "set_scheduling",
                json_pack("{s:s, s:s, s:s}", "uuid", uuid, "key", key, "value", value), NULL);
}

static struct error *remote_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a)
{
    return call_number(hv, "set_on_reboot", uuid, (int64_t)a);
}

static struct error *call_disk(struct hv *hv, const char *name, const char *uuid,
                               const struct hv_disk *d)
{
    return call(hv, name,
                json_pack("{s:s, s:o}", "uuid", uuid, "disk", hv_to_json(&hv_disk_shape, d)), NULL);
}

static struct error *remote_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *d)
{
    return call_disk(hv, "attach_disk", uuid, d);
}

static struct error *remote_change_media(struct hv *hv, const char *uuid, const struct hv_disk *d)
{
    return call_disk(hv, "change_media", uuid, d);
}

static struct error *call_detach(struct hv *hv, const char *name, const char *uuid, int device,
                                 int64_t timeout_us)
{
    return call(hv, name,
                json_pack("{s:s, s:i, s:I}", "uuid", uuid, "number", device, "timeout_us",
                          (json_int_t)timeout_us),
                NULL);
}

static struct error *remote_detach_disk(struct hv *hv, const char *uuid, int device,
                                        int64_t timeout_us)
{
    return call_detach(hv, "detach_disk", uuid, device, timeout_us);
}

static struct error *remote_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *n)
{
    return call(hv, "attach_nic",
                json_pack("{s:s, s:o}", "uuid", uuid, "nic", hv_to_json(&hv_nic_shape, n)), NULL);
}

static struct error *remote_detach_nic(struct hv *hv, const char *uuid, int device,
                                       int64_t timeout_us)
{
    return call_detach(hv, "detach_nic", uuid, device, timeout_us);
}

static struct error *remote_stats(struct hv *hv, const char *uuid, struct arena *a,
                                  struct hv_stats *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "stats", json_pack("{s:s}", "uuid", uuid), &j));
    return hv_from_json(a, &hv_stats_shape, j, ret);
}

static struct error *remote_console(struct hv *hv, const char *uuid, enum hv_console kind,
                                    int *ret_fd)
{
    json_t *args = json_pack("{s:s, s:i}", "uuid", uuid, "number", (int)kind);

    TRY(call_fd(hv, "console", args, -1, NULL, ret_fd));
    return *ret_fd >= 0 ? NULL : error_errno(EPROTO, "no console came");
}

static struct error *remote_guest_info(struct hv *hv, const char *uuid, struct arena *a,
                                       struct hv_pair **ret, size_t *ret_n)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "guest_info", json_pack("{s:s}", "uuid", uuid), &j));
    return hv_list_from_json(a, &hv_pair_shape, j, (void **)ret, ret_n);
}

static struct error *remote_control(struct hv *hv, const char *json, struct arena *a,
                                    const char **ret_json)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(call(hv, "control", json_pack("{s:s}", "json", json), &j));
    const char *text = json_string_value(j);

    *ret_json = arena_strdup(a, text ? text : "");
    return NULL;
}

const struct hv_driver hv_libxl_driver = {
    .name = "libxl",
    .open = remote_open,
    .close = remote_close,
    .probe = remote_probe,
    .host = remote_host,
    .dmesg = remote_dmesg,
    .list = remote_list,
    .query = remote_query,
    .start = remote_start,
    .unpause = remote_unpause,
    .pause = remote_pause,
    .signal = remote_signal,
    .reset = remote_reset,
    .destroy = remote_destroy,
    .forget = remote_forget,
    .suspend = remote_suspend,
    .set_memory = remote_set_memory,
    .set_vcpus = remote_set_vcpus,
    .set_scheduling = remote_set_scheduling,
    .set_on_reboot = remote_set_on_reboot,
    .attach_disk = remote_attach_disk,
    .detach_disk = remote_detach_disk,
    .change_media = remote_change_media,
    .attach_nic = remote_attach_nic,
    .detach_nic = remote_detach_nic,
    .stats = remote_stats,
    .console = remote_console,
    .guest_info = remote_guest_info,
    .control = remote_control,
};
