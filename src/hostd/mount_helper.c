/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/mount_helper.h"

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "hostd/confine.h"
#include "proto/frame.h"
#include "value/json.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ORDERS_FD  3
#define ORDER_MAX  (64u << 10)
#define ORDERS_MAX 16 /* under way: silent servers must not leave no room for others */
/* The helper limits its programs; should one not even end when it is killed, this does. */
#define GRACE_S 5

/* ---- the process ---- */

struct server {
    const char *root;
    atomic_int under_way;
};

struct order {
    struct server *server;
    int fd; /* for the answer */
    json_t *what;
};

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

static struct error *do_mount(void *root, const json_t *j)
{
    const struct mount_order o = {
        .name = text_of(j, "name"),
        .fs = text_of(j, "fs"),
        .source = text_of(j, "source"),
        .options = text_of(j, "options"),
        .password = text_of(j, "password"),
        .read_only = json_is_true(json_object_get(j, "read_only")),
    };

    return mounter_programs.mount(root, &o);
}

static struct error *do_look(void *root, const json_t *j, json_t **ret)
{
    struct device_look l;

    TRY(mounter_programs.look(root, text_of(j, "device"), &l));
    *ret = json_pack("{s:s, s:s, s:s, s:I, s:b}", "fs", l.fs, "uuid", l.uuid, "label", l.label,
                     "size", (json_int_t)l.size, "in_use", (int)l.in_use);
    return NULL;
}

static struct error *do_exports(void *root, const json_t *j, json_t **ret)
{
    _cleanup_str_ struct str out = STR_INIT;

    TRY(mounter_programs.exports(root, text_of(j, "server"), &out));
    *ret = json_pack("{s:s}", "exports", str_cstr(&out));
    return NULL;
}

static struct error *carry_out(const struct order *o, json_t **ret)
{
    void *root = (void *)(uintptr_t)o->server->root;
    const char *what = text_of(o->what, "do");

    if (streq(what, "mount"))
        return do_mount(root, o->what);
    if (streq(what, "unmount"))
        return mounter_programs.unmount(root, text_of(o->what, "name"));
    if (streq(what, "look"))
        return do_look(root, o->what, ret);
    if (streq(what, "format"))
        return mounter_programs.format(root, text_of(o->what, "fs"), text_of(o->what, "device"),
                                       text_of(o->what, "uuid"));
    if (streq(what, "wipe"))
        return mounter_programs.wipe(root, text_of(o->what, "device"));
    if (streq(what, "exports"))
        return do_exports(root, o->what, ret);
    return error_text("nobody does that here");
}

static void answer(int fd, struct error *e, json_t *result)
{
    _cleanup_json_ json_t *j = json_object();

    if (result)
        json_object_set(j, "result", result);
    if (e) {
        json_object_set_new(j, "errno", json_integer(e->errnum));
        json_object_set_new(j, "error", json_string(e->detail));
    }
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

    if (!text) /* a program's words were no UTF-8 */
        text = xstrdup("{\"errno\": 0, \"error\": \"it failed, in words that cannot be told\"}");
    IGNORE_ERROR(frame_send(fd, text, strlen(text), NULL, 0));
}

static void *run_order(void *arg)
{
    struct order *o = arg;
    struct server *server = o->server;
    _cleanup_json_ json_t *result = NULL;
    _cleanup_error_ struct error *e = carry_out(o, &result);

    answer(o->fd, e, result);
    close(o->fd);
    json_decref(o->what);
    free(o);
    atomic_fetch_sub(&server->under_way, 1);
    return NULL;
}

static struct error *start_order(struct server *server, struct frame *f)
{
    struct order *o = xnew(struct order);
    pthread_t thread;

    *o = (struct order){.server = server, .fd = f->fds[0]};
    f->n_fds = 0;
    struct error *e = json_parse(str_cstr(&f->text), f->text.len, &o->what);
    int busy = atomic_fetch_add(&server->under_way, 1);

    if (!e && busy >= ORDERS_MAX)
        e = error_errno(EAGAIN, "%d file systems are being mounted or looked at", busy);
    if (!e && pthread_create(&thread, NULL, run_order, o) == 0) {
        pthread_detach(thread);
        return NULL;
    }
    answer(o->fd, e, NULL);
    error_free(e);
    atomic_fetch_sub(&server->under_way, 1);
    json_decref(o->what);
    close(o->fd);
    free(o);
    return NULL;
}

static struct error *take_order(struct server *server)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;

    TRY(frame_recv(ORDERS_FD, ORDER_MAX, &f));
    struct error *e = f.n_fds == 1 ? start_order(server, &f) : error_text("no way to answer");

    if (f.text.s)
        explicit_bzero(f.text.s, f.text.len); /* passwords */
    return e;
}

int mount_helper_main(const char *root)
{
    struct server server = {.root = root};

    fcntl(ORDERS_FD, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    struct error *e = confine_mount_helper();

    while (!e)
        e = take_order(&server);
    bool done = e->errnum == ECONNRESET; /* the end of hostd */

    if (done)
        error_free(e);
    else
        log_and_free(LOG_ERROR, e, "the mount helper ends");
    return done ? 0 : 1;
}

/* ---- hostd's end ---- */

struct mount_helper {
    pthread_mutex_t lock; /* rank: leaf; one order is sent at a time */
    int fd;
    char *root;
};

struct error *mount_helper_start(const char *state_dir, struct mount_helper **ret)
{
    _cleanup_free_ char *path = xasprintf("%s/mnt", state_dir);
    int pair[2];
    pid_t pid;

    TRY(io_mkdir_p(path, 0700));
    _cleanup_free_ char *root = realpath(path, NULL);

    if (!root)
        return error_errno(errno, "cannot find %s", path);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    _cleanup_spawn_ struct spawn s;
    spawn_init(&s, "xenolith-mounts");
    s.file = "/proc/self/exe";
    s.session = true;
    s.stderr_fd = STDERR_FILENO;
    spawn_add(&s, "--mount-helper");
    spawn_add(&s, root);
    spawn_pass_fd(&s, pair[1], ORDERS_FD);
    struct error *e = spawn_start(&s, &pid); /* it ends with us: nobody needs to wait for it */

    close(pair[1]);
    if (e) {
        close(pair[0]);
        return e;
    }
    struct mount_helper *h = xnew(struct mount_helper);

    *h = (struct mount_helper){.fd = pair[0], .root = TAKE_PTR(root)};
    pthread_mutex_init(&h->lock, NULL);
    *ret = h;
    return NULL;
}

void mount_helper_free(struct mount_helper *h)
{
    if (!h)
        return;
    cleanup_close(&h->fd);
    pthread_mutex_destroy(&h->lock);
    free(h->root);
    free(h);
}

const char *mount_helper_root(const struct mount_helper *h)
{
    return h->root;
}

static struct error *send_order(struct mount_helper *h, json_t *what, int answer_fd)
{
    _cleanup_free_ char *text = json_dumps(what, JSON_COMPACT);

    if (!text)
        return error_text("an order is not text");
    pthread_mutex_lock(&h->lock);
    struct error *e = frame_send(h->fd, text, strlen(text), &answer_fd, 1);

    pthread_mutex_unlock(&h->lock);
    explicit_bzero(text, strlen(text));
    return e;
}

static struct error *read_answer(int fd, json_t **ret)
{
    _cleanup_frame_ struct frame f = FRAME_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(frame_recv(fd, FRAME_MAX_CALL, &f));
    TRY(json_parse(str_cstr(&f.text), f.text.len, &j));
    json_t *text = json_object_get(j, "error");

    if (text)
        return error_errno((int)json_integer_value(json_object_get(j, "errno")), "%s",
                           json_string_value(text));
    *ret = json_incref(json_object_get(j, "result"));
    return NULL;
}

/* Takes `what`; *ret is NULL where there is no result. */
static struct error *ask(struct mount_helper *h, json_t *what, int time_s, json_t **ret)
{
    const struct timeval limit = {.tv_sec = time_s + GRACE_S};
    _cleanup_json_ json_t *order = what;
    int pair[2];

    if (!order)
        return error_text("an order is not text");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket");
    _cleanup_close_ int ours = pair[0];
    _cleanup_close_ int theirs = pair[1];

    setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    TRY(send_order(h, order, theirs));
    cleanup_close(&theirs);
    return read_answer(ours, ret);
}

static struct error *ask_plainly(struct mount_helper *h, json_t *what, int time_s)
{
    json_t *none = NULL;
    struct error *e = ask(h, what, time_s, &none);

    json_decref(none);
    return e;
}

static struct error *helper_mount(void *ctx, const struct mount_order *o)
{
    return ask_plainly(ctx,
                       json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "do", "mount", "name",
                                 o->name, "fs", o->fs, "source", o->source, "options", o->options,
                                 "password", o->password, "read_only", (int)o->read_only),
                       MOUNT_TIME_S);
}

static struct error *helper_unmount(void *ctx, const char *name)
{
    return ask_plainly(ctx, json_pack("{s:s, s:s}", "do", "unmount", "name", name),
                       2 * MOUNT_TIME_S);
}

static struct error *helper_list(void *ctx, mount_entry_fn *fn, void *arg)
{
    const struct mount_helper *h = ctx;

    return mounter_programs.list(h->root, fn, arg);
}

static struct error *helper_look(void *ctx, const char *device, struct device_look *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(ask(ctx, json_pack("{s:s, s:s}", "do", "look", "device", device), MOUNT_TIME_S, &j));
    *ret = (struct device_look){.size = json_integer_value(json_object_get(j, "size")),
                                .in_use = json_is_true(json_object_get(j, "in_use"))};
    snprintf(ret->fs, sizeof(ret->fs), "%s", text_of(j, "fs"));
    snprintf(ret->uuid, sizeof(ret->uuid), "%s", text_of(j, "uuid"));
    snprintf(ret->label, sizeof(ret->label), "%s", text_of(j, "label"));
    return NULL;
}

static struct error *helper_format(void *ctx, const char *fs, const char *device, const char *uuid)
{
    return ask_plainly(
        ctx,
        json_pack("{s:s, s:s, s:s, s:s}", "do", "format", "fs", fs, "device", device, "uuid", uuid),
        FORMAT_TIME_S);
}

static struct error *helper_wipe(void *ctx, const char *device)
{
    return ask_plainly(ctx, json_pack("{s:s, s:s}", "do", "wipe", "device", device), MOUNT_TIME_S);
}

static struct error *helper_exports(void *ctx, const char *server, struct str *ret)
{
    _cleanup_json_ json_t *j = NULL;

    TRY(ask(ctx, json_pack("{s:s, s:s}", "do", "exports", "server", server), MOUNT_TIME_S, &j));
    str_add(ret, text_of(j, "exports"));
    return NULL;
}

const struct mounter mounter_helper = {
    .mount = helper_mount,
    .unmount = helper_unmount,
    .list = helper_list,
    .look = helper_look,
    .format = helper_format,
    .wipe = helper_wipe,
    .exports = helper_exports,
};
