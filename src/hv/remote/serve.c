/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's side: a driver behind a socket. The main thread reads; workers run the operations.
 */
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/workers.h"
#include "hv/remote/codec.h"
#include "hv/remote/remote.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>

#define MAX_THREADS 64
#define MAX_CALLS   512

struct server {
    int fd;
    pthread_mutex_t write_lock;
    struct workers *workers;
    struct hv *hv;
    const struct hv_driver *driver;
};

struct op;

struct request {
    struct server *s;
    const struct op *op;
    struct hv *hv;
    uint64_t id;
    json_t *message; /* owns args */
    const json_t *args;
    const char *uuid;
    struct arena arena;
    json_t *result;
    int in, out; /* descriptors, -1 = none */
};

struct op {
    const char *name;
    struct error *(*run)(struct request *r);
};

static int64_t number(const struct request *r, const char *key)
{
    return json_integer_value(json_object_get(r->args, key));
}

/* ---- operations ---- */

static struct error *op_host(struct request *r)
{
    struct hv_host host = {.capabilities = ""};

    if (r->s->driver->host)
        TRY(r->s->driver->host(r->hv, &r->arena, &host));
    r->result = hv_to_json(&hv_host_shape, &host);
    return NULL;
}

static struct error *op_dmesg(struct request *r)
{
    const char *text = "";

    if (r->s->driver->dmesg)
        TRY(r->s->driver->dmesg(r->hv, &r->arena, &text));
    r->result = hv_text_to_json(text);
    return NULL;
}

static struct error *op_list(struct request *r)
{
    struct hv_domain *all;
    size_t n;

    TRY(r->s->driver->list(r->hv, &r->arena, &all, &n));
    r->result = hv_list_to_json(&hv_domain_shape, all, n);
    return NULL;
}

static struct error *op_query(struct request *r)
{
    struct hv_domain d;

    TRY(r->s->driver->query(r->hv, r->uuid, &r->arena, &d));
    r->result = hv_to_json(&hv_domain_shape, &d);
    return NULL;
}

static struct error *op_start(struct request *r)
{
    struct hv_start p;
    struct hv_started started;

    TRY(hv_from_json(&r->arena, &hv_start_shape, json_object_get(r->args, "start"), &p));
    p.resume_fd = r->in;
    TRY(r->s->driver->start(r->hv, &p, &r->arena, &started));
    r->result = hv_to_json(&hv_started_shape, &started);
    return NULL;
}

static struct error *op_unpause(struct request *r)
{
    return r->s->driver->unpause(r->hv, r->uuid);
}

static struct error *op_pause(struct request *r)
{
    return r->s->driver->pause(r->hv, r->uuid);
}

static struct error *op_signal(struct request *r)
{
    return r->s->driver->signal(r->hv, r->uuid, (enum hv_signal)number(r, "number"));
}

static struct error *op_reset(struct request *r)
{
    return r->s->driver->reset(r->hv, r->uuid);
}

static struct error *op_destroy(struct request *r)
{
    return r->s->driver->destroy(r->hv, r->uuid);
}

static struct error *op_forget(struct request *r)
{
    return r->s->driver->forget(r->hv, r->uuid);
}

static struct error *op_suspend(struct request *r)
{
    if (r->in < 0)
        return error_errno(EPROTO, "no descriptor");
    return r->s->driver->suspend(r->hv, r->uuid, r->in, number(r, "number"));
}

static struct error *op_set_memory(struct request *r)
{
    return r->s->driver->set_memory(r->hv, r->uuid, number(r, "number"));
}

static struct error *op_set_vcpus(struct request *r)
{
    return r->s->driver->set_vcpus(r->hv, r->uuid, (int)number(r, "number"));
}

static struct error *op_set_scheduling(struct request *r)
{
    const char *key = json_string_value(json_object_get(r->args, "key"));
    const char *value = json_string_value(json_object_get(r->args, "value"));

    if (!r->s->driver->set_scheduling || !key || !value)
        return error_api("NOT_IMPLEMENTED", 1, "set_scheduling");
    return r->s->driver->set_scheduling(r->hv, r->uuid, key, value);
}

static struct error *op_set_on_reboot(struct request *r)
{
    return r->s->driver->set_on_reboot(r->hv, r->uuid, (enum hv_action)number(r, "number"));
}

static struct error *op_attach_disk(struct request *r)
{
    struct hv_disk d;

    TRY(hv_from_json(&r->arena, &hv_disk_shape, json_object_get(r->args, "disk"), &d));
    return r->s->driver->attach_disk(r->hv, r->uuid, &d);
}

static struct error *op_change_media(struct request *r)
{
    struct hv_disk d;

    TRY(hv_from_json(&r->arena, &hv_disk_shape, json_object_get(r->args, "disk"), &d));
    return r->s->driver->change_media(r->hv, r->uuid, &d);
}

static struct error *op_detach_disk(struct request *r)
{
    return r->s->driver->detach_disk(r->hv, r->uuid, (int)number(r, "number"),
                                     number(r, "timeout_us"));
}

static struct error *op_attach_nic(struct request *r)
{
    struct hv_nic n;

    TRY(hv_from_json(&r->arena, &hv_nic_shape, json_object_get(r->args, "nic"), &n));
    return r->s->driver->attach_nic(r->hv, r->uuid, &n);
}

static struct error *op_detach_nic(struct request *r)
{
    return r->s->driver->detach_nic(r->hv, r->uuid, (int)number(r, "number"),
                                    number(r, "timeout_us"));
}

static struct error *op_stats(struct request *r)
{
    struct hv_stats st = {0};

    TRY(r->s->driver->stats(r->hv, r->uuid, &r->arena, &st));
    r->result = hv_to_json(&hv_stats_shape, &st);
    return NULL;
}

static struct error *op_console(struct request *r)
{
    return r->s->driver->console(r->hv, r->uuid, (enum hv_console)number(r, "number"), &r->out);
}

static struct error *op_guest_info(struct request *r)
{
    struct hv_pair *pairs;
    size_t n;

    TRY(r->s->driver->guest_info(r->hv, r->uuid, &r->arena, &pairs, &n));
    r->result = hv_list_to_json(&hv_pair_shape, pairs, n);
    return NULL;
}

static struct error *op_control(struct request *r)
{
    const char *json = json_string_value(json_object_get(r->args, "json")), *answer;

    if (!r->s->driver->control || !json)
        return error_api("NOT_IMPLEMENTED", 1, "control");
    TRY(r->s->driver->control(r->hv, json, &r->arena, &answer));
    r->result = json_string(answer);
    return NULL;
}

static const struct op ops[] = {
    {"host", op_host},
    {"dmesg", op_dmesg},
    {"list", op_list},
    {"query", op_query},
    {"start", op_start},
    {"unpause", op_unpause},
    {"pause", op_pause},
    {"signal", op_signal},
    {"reset", op_reset},
    {"destroy", op_destroy},
    {"forget", op_forget},
    {"suspend", op_suspend},
    {"set_memory", op_set_memory},
    {"set_vcpus", op_set_vcpus},
    {"set_scheduling", op_set_scheduling},
    {"set_on_reboot", op_set_on_reboot},
    {"attach_disk", op_attach_disk},
    {"detach_disk", op_detach_disk},
    {"change_media", op_change_media},
    {"attach_nic", op_attach_nic},
    {"detach_nic", op_detach_nic},
    {"stats", op_stats},
    {"console", op_console},
    {"guest_info", op_guest_info},
    {"control", op_control},
};

/* ---- messages ---- */

static void send_text(struct server *s, const char *text, size_t len, int fd)
{
    pthread_mutex_lock(&s->write_lock);
    struct error *e = frame_send(s->fd, text, len, &fd, fd >= 0 ? 1 : 0);

    pthread_mutex_unlock(&s->write_lock);
    error_free(e); /* nobody there: the reader sees it too */
}

static void send_json(struct server *s, json_t *j, int fd)
{
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

    json_decref(j);
    send_text(s, text, strlen(text), fd);
}

static void send_answer(struct server *s, uint64_t id, json_t *result, const struct error *e,
                        int fd)
{
    _cleanup_str_ struct str text = STR_INIT;

    if (!e) {
        send_json(
            s,
            json_pack("{s:I, s:o}", "id", (json_int_t)id, "result", result ? result : json_null()),
            fd);
        return;
    }
    json_decref(result);
    message_add_error(&text, id, e);
    send_text(s, text.s, text.len, -1);
}

static void on_event(void *ctx, const struct hv_event *ev)
{
    struct server *s = ctx;

    send_json(s, json_pack("{s:o}", "event", hv_to_json(&hv_event_shape, ev)), -1);
}

static void run_request(void *arg)
{
    struct request *r = arg;
    _cleanup_error_ struct error *e = r->op->run(r);

    send_answer(r->s, r->id, TAKE_PTR(r->result), e, r->out);
    cleanup_close(&r->in);
    cleanup_close(&r->out);
    arena_fini(&r->arena);
    json_decref(r->message);
    free(r);
}

static const struct op *find_op(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++) {
        if (streq(ops[i].name, name))
            return &ops[i];
    }
    return NULL;
}

static struct error *read_one(struct server *s)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    json_t *j = NULL;

    TRY(frame_recv(s->fd, FRAME_MAX_REPLY, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    struct request *r = xnew(struct request);
    const char *uuid;

    r->s = s;
    r->hv = s->hv;
    r->message = j;
    r->args = json_object_get(j, "args");
    r->id = (uint64_t)json_integer_value(json_object_get(j, "id"));
    r->op = find_op(json_string_value(json_object_get(j, "call")));
    uuid = json_string_value(json_object_get(r->args, "uuid"));
    r->uuid = uuid ? uuid : "";
    r->out = -1;
    r->in = f.n_fds ? f.fds[--f.n_fds] : -1;
    arena_init(&r->arena);
    if (!r->op)
        return error_errno(EPROTO, "a call this program does not know");
    if (!workers_run(s->workers, run_request, r))
        return error_errno(EBUSY, "too many calls");
    return NULL;
}

/* hostd has missed what happened while there was no worker. */
static struct error *tell_states(struct server *s)
{
    _cleanup_arena_ struct arena a;
    struct hv_domain *all;
    size_t n;

    arena_init(&a);
    TRY(s->driver->list(s->hv, &a, &all, &n));
    for (size_t i = 0; i < n; i++)
        on_event(s, &(struct hv_event){.kind = HV_EVENT_STATE,
                                       .uuid = all[i].uuid,
                                       .state = all[i].state,
                                       .stop = all[i].stop,
                                       .device = -1,
                                       .memory_actual = all[i].memory_actual});
    return NULL;
}

struct error *hv_serve(const struct hv_driver *driver, const struct hv_config *config, int fd,
                       bool again)
{
    static struct server s; /* operations may outlive the conversation; the process ends then */
    struct hv_config own = *config;

    s = (struct server){.fd = fd, .driver = driver};
    pthread_mutex_init(&s.write_lock, NULL);
    own.on_event = on_event;
    own.ctx = &s;
    TRY(workers_new("worker", MAX_THREADS, MAX_CALLS, &s.workers));
    struct error *e = driver->open(&own, &s.hv);

    if (e) {
        send_answer(&s, 0, NULL, e, -1);
        return e;
    }
    s.hv->driver = driver;
    s.hv->config = own;
    send_answer(&s, 0, hv_to_json(&hv_caps_shape, driver->probe(s.hv)), NULL, -1);
    if (again)
        e = tell_states(&s);
    while (!e)
        e = read_one(&s);
    return e;
}

int hv_worker_main(const struct hv_driver *driver, const char *program, int argc, char **argv)
{
    static const struct option known[] = {{"state", required_argument, NULL, 's'},
                                          {"root", required_argument, NULL, 'r'},
                                          {"again", no_argument, NULL, 'a'},
                                          {"debug", no_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    const char *roots[16];
    struct hv_config config = {.disk_roots = roots};
    bool again = false;
    int c;

    log_init(program);
    json_own_memory();
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 's')
            config.state_dir = optarg;
        else if (c == 'r' && config.n_disk_roots < ARRAY_SIZE(roots))
            roots[config.n_disk_roots++] = optarg;
        else if (c == 'a')
            again = true;
        else if (c == 'd')
            log_set_level(LOG_DEBUG);
    }
    if (!config.state_dir) {
        fprintf(stderr, "%s is started by xenolith-hostd\n", program);
        return 2;
    }
    struct error *e = hv_serve(driver, &config, 3, again);
    bool done = e->errnum == ECONNRESET;

    if (done)
        error_free(e);
    else
        log_and_free(LOG_ERROR, e, "ending");
    /* Whatever is under way stops here; the next worker finds out what came of it. */
    _exit(done ? 0 : 1);
}
