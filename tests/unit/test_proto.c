/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host protocol's two ends against each other, with bodies made for the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw_peer.h"

#include "base/io.h"
#include "base/log.h"
#include "base/wait.h"
#include "proto/client.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

struct bed {
    char dir[64];
    char path[96];
    struct host_server *server;
    struct hostd *client;
    struct arena arena;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int connects, events;
    bool asleep; /* the listener to events */
    char last_uuid[64];
    int64_t last_device;
    atomic_bool release; /* lets the slow body go on */
    int slow;            /* slow bodies running */
    int cancelled;
    bool stubborn; /* slow bodies do not mind being cancelled */
    unsigned peer_timeout_s;
};

static struct bed *bed;

/* ---- bodies ---- */

static struct error *hello(struct host_call *c, const void *args, void *result)
{
    struct host_hello_result *r = result;

    *r = (struct host_hello_result){
        .version = "test", .schema = HOST_PROTO_DIGEST, .boot_id = "boot", .driver = "none"};
    return NULL;
}

/* Gives back what came, as text: shows that arguments arrive whole. */
static struct error *start(struct host_call *c, const void *args, void *result)
{
    const struct host_vm_start_args *a = args;
    struct host_vm_start_result *r = result;

    if (streq(a->uuid, "api"))
        return error_detail(error_api("VM_BAD", 2, a->uuid, "caf\xc3\xa9"), "as asked \xff");
    if (streq(a->uuid, "errno"))
        return error_errno(ENOSPC, "cannot write");
    r->domid = a->memory_max;
    r->record =
        arena_printf(host_call_arena(c), "%s %zu %s %d", a->name, a->disks.n,
                     a->disks.n ? a->disks.v[a->disks.n - 1].vdi : "", a->restart_on_reboot);
    return NULL;
}

static struct error *slow(struct host_call *c, const void *args, void *result)
{
    pthread_mutex_lock(&bed->lock);
    bed->slow++;
    pthread_cond_broadcast(&bed->changed);
    while (!bed->release && (bed->stubborn || !host_call_cancelled(c)))
        cond_wait_until(&bed->changed, &bed->lock, mono_us() + 10000);
    bed->cancelled += host_call_cancelled(c);
    bed->slow--;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
    return NULL;
}

static struct error *console(struct host_call *c, const void *args, void *result)
{
    int pair[2];

    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
    assert_int_equal(write(pair[1], "hi", 2), 2);
    close(pair[1]);
    host_call_give_fd(c, pair[0]);
    return NULL;
}

struct error *(*const host_bodies[HOST_CALL_MAX])(struct host_call *, const void *, void *) = {
    [HOST_CALL_HELLO] = hello,
    [HOST_CALL_VM_START] = start,
    [HOST_CALL_VM_PAUSE] = slow,
    [HOST_CALL_VM_CONSOLE] = console,
};

/* ---- set-up ---- */

static void on_connect(void *ctx, const struct host_hello_result *h)
{
    assert_string_equal(h->boot_id, "boot");
    pthread_mutex_lock(&bed->lock);
    bed->connects++;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
}

static void on_event(void *ctx, const struct host_event_rec *ev)
{
    pthread_mutex_lock(&bed->lock);
    while (bed->asleep)
        pthread_cond_wait(&bed->changed, &bed->lock);
    bed->events++;
    snprintf(bed->last_uuid, sizeof(bed->last_uuid), "%s", ev->uuid);
    bed->last_device = ev->device;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
}

static void await(const int *counter, int least)
{
    int64_t end = mono_us() + 20 * SECOND_US;

    pthread_mutex_lock(&bed->lock);
    while (*counter < least) {
        if (!cond_wait_until(&bed->changed, &bed->lock, end)) {
            pthread_mutex_unlock(&bed->lock);
            fail_msg("waited in vain for %d, have %d", least, *counter);
        }
    }
    pthread_mutex_unlock(&bed->lock);
}

static int count_of(const int *counter)
{
    pthread_mutex_lock(&bed->lock);
    int n = *counter;

    pthread_mutex_unlock(&bed->lock);
    return n;
}

static void start_server(void)
{
    struct host_server_config config = {.socket_path = bed->path,
                                        .user = (uid_t)-1,
                                        .max_threads = 8,
                                        .peer_timeout_s = bed->peer_timeout_s,
                                        .ctx = bed};

    assert_null(host_server_start(&config, &bed->server));
}

static int set_up_with(unsigned peer_timeout_s)
{
    struct hostd_config config = {.version = "1", .on_connect = on_connect, .on_event = on_event};

    log_set_level(LOG_ERROR);
    bed = xnew(struct bed);
    bed->peer_timeout_s = peer_timeout_s;
    pthread_mutex_init(&bed->lock, NULL);
    pthread_cond_init(&bed->changed, NULL);
    arena_init(&bed->arena);
    snprintf(bed->dir, sizeof(bed->dir), "/tmp/xenolith-proto-XXXXXX");
    assert_non_null(mkdtemp(bed->dir));
    snprintf(bed->path, sizeof(bed->path), "%s/hostd", bed->dir);
    config.socket_path = bed->path;
    start_server();
    assert_null(hostd_open(&config, &bed->client));
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(60);
}

static int set_up_impatient(void **state)
{
    return set_up_with(1);
}

static int tear_down(void **state)
{
    bed->release = true;
    hostd_close(bed->client);
    host_server_stop(bed->server);
    unlink(bed->path);
    rmdir(bed->dir);
    arena_fini(&bed->arena);
    pthread_mutex_destroy(&bed->lock);
    pthread_cond_destroy(&bed->changed);
    free(bed);
    return 0;
}

static struct error *call_start(const char *uuid, struct host_vm_start_result *r)
{
    struct host_disk_rec disks[2] = {{.device = 1, .sr = "s", .vdi = "v1"},
                                     {.device = 2, .sr = "s", .vdi = "v2"}};
    struct host_vm_start_args a =
        *(const struct host_vm_start_args *)host_calls[HOST_CALL_VM_START].args->defaults;

    a.uuid = uuid;
    a.name = "a \"name\"\n";
    a.memory_max = 1ll << 40;
    a.disks.n = 2;
    a.disks.v = disks;
    return hostd_vm_start(bed->client, &a, &bed->arena, r);
}

/* ---- tests ---- */

static void values_go_there_and_back(void **state)
{
    struct host_vm_start_result r;

    assert_null(call_start("u", &r));
    assert_int_equal(r.domid, 1ll << 40);
    assert_string_equal(r.record, "a \"name\"\n 2 v2 1");
}

static void errors_arrive_as_they_were(void **state)
{
    struct host_vm_start_result r;
    _cleanup_error_ struct error *api = call_start("api", &r);
    _cleanup_error_ struct error *sys = call_start("errno", &r);
    struct host_vm_unpause_args a = {.uuid = "u"};
    struct host_vm_unpause_result none;
    _cleanup_error_ struct error *missing = hostd_vm_unpause(bed->client, &a, &bed->arena, &none);

    assert_true(error_is(api, "VM_BAD"));
    assert_int_equal(api->n_params, 2);
    assert_string_equal(api->params[1], "caf\xc3\xa9");
    assert_string_equal(api->detail, "as asked ?"); /* what is no text is not passed on */
    assert_null(sys->code);
    assert_int_equal(sys->errnum, ENOSPC);
    assert_string_equal(sys->detail, "cannot write");
    assert_true(error_is(missing, "NOT_IMPLEMENTED"));
}

static void descriptors_come_with_the_answer(void **state)
{
    struct host_vm_console_args a = {.uuid = "u", .kind = "serial"};
    struct host_vm_console_result r;
    int fds[HOST_MAX_FDS];
    size_t n = 0;
    char text[3] = "";

    assert_null(hostd_vm_console(bed->client, &a, &bed->arena, &r, fds, &n));
    assert_int_equal(n, 1);
    assert_int_equal(read(fds[0], text, 2), 2);
    assert_string_equal(text, "hi");
    close(fds[0]);
}

static void *pause_vm(void *arg)
{
    struct host_vm_pause_args a = {.uuid = "u"};
    struct host_vm_pause_result r;
    struct arena arena;

    arena_init(&arena);
    *(struct error **)arg = hostd_vm_pause(bed->client, &a, &arena, &r);
    arena_fini(&arena);
    return NULL;
}

static void a_slow_call_holds_nobody_up(void **state)
{
    struct host_vm_start_result r;
    struct error *e[4];
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, pause_vm, &e[i]);
    await(&bed->slow, 4);
    assert_null(call_start("u", &r));
    pthread_mutex_lock(&bed->lock);
    bed->release = true;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_null(e[i]);
    }
}

static void push_events(int n)
{
    for (int i = 0; i < n; i++) {
        struct host_event_rec ev = *(const struct host_event_rec *)host_event_rec_info.defaults;

        ev.kind = "state";
        ev.uuid = "some uuid";
        ev.device = i;
        host_server_push(bed->server, &ev);
    }
}

static void events_come_in_order(void **state)
{
    await(&bed->connects, 1);
    push_events(1000);
    await(&bed->events, 1000);
    assert_string_equal(bed->last_uuid, "some uuid");
    assert_int_equal(bed->last_device, 999);
}

/* A hostd that takes a call and never answers it. Gives back its end of the connection. */
static int take_a_call(pthread_t *caller, struct error **e)
{
    int listener, fd;

    host_server_stop(bed->server);
    bed->server = NULL;
    assert_null(io_listen_unix(bed->path, SOCK_STREAM, 0600, &listener));
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    _cleanup_frame_ struct frame f = FRAME_INIT;
    struct host_hello_result h = {
        .version = "fake", .schema = HOST_PROTO_DIGEST, .boot_id = "boot", .driver = "none"};
    _cleanup_str_ struct str text = STR_INIT;

    assert_null(frame_recv(fd, FRAME_MAX_CALL, &f));
    message_add_result(&text, 0, &host_calls[HOST_CALL_HELLO], &h);
    assert_null(frame_send(fd, text.s, text.len, NULL, 0));
    await(&bed->connects, 1);
    pthread_create(caller, NULL, pause_vm, e);
    frame_fini(&f);
    assert_null(frame_recv(fd, FRAME_MAX_CALL, &f));
    close(listener);
    return fd;
}

/* The peer dies in the middle of a call: the call is made again, and its caller notices nothing. */
static void a_lost_hostd_is_found_again(void **state)
{
    struct host_vm_start_result r;
    struct error *e;
    pthread_t t;
    int fd = take_a_call(&t, &e);

    bed->release = true;
    close(fd);
    start_server();
    pthread_join(t, NULL);
    assert_null(e);
    assert_null(call_start("u", &r));
    await(&bed->connects, 2);
}

static void letting_go_fails_the_calls_under_way(void **state)
{
    struct host_vm_start_result r;
    struct error *e, *later;
    pthread_t t;
    int fd = take_a_call(&t, &e);

    hostd_cut(bed->client);
    pthread_join(t, NULL);
    later = call_start("u", &r);
    assert_int_equal(e->errnum, EHOSTDOWN);
    assert_int_equal(later->errnum, EHOSTDOWN);
    error_free(e);
    error_free(later);
    close(fd);
}

static void set_asleep(bool asleep)
{
    pthread_mutex_lock(&bed->lock);
    bed->asleep = asleep;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
}

/* More than 10,000 are not kept for it: it asks for the state instead. */
static void a_listener_that_sleeps_is_told_anew(void **state)
{
    _cleanup_close_ int fd = raw_greeted(bed->path); /* sees what has been sent */

    await(&bed->connects, 1);
    set_asleep(true);
    for (int lot = 0; lot < 2; lot++) {
        push_events(6000);
        for (int i = 0; i < 6000; i++) {
            _cleanup_frame_ struct frame f = FRAME_INIT;

            assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
        }
    }
    set_asleep(false);
    await(&bed->connects, 2);
    assert_in_range(count_of(&bed->events), 1, 11999);
}

/* Nor are they kept for who does not read: all connections end, and whoever comes back asks. */
static void events_that_nobody_reads_end_it(void **state)
{
    _cleanup_close_ int fd = raw_greeted(bed->path);

    await(&bed->connects, 1);
    push_events(20000);
    await(&bed->connects, 2);
    raw_await_end(fd);
}

static void expect_answer(const char *call, const char *part)
{
    _cleanup_close_ int fd = raw_greeted(bed->path);
    _cleanup_frame_ struct frame f = FRAME_INIT;

    assert_null(frame_send(fd, call, strlen(call), NULL, 0));
    assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
    if (!strstr(str_cstr(&f.text), part))
        fail_msg("%s: answer %s has no %s", call, str_cstr(&f.text), part);
}

static void expect_end(const char *bytes, size_t len)
{
    _cleanup_close_ int fd = raw_greeted(bed->path);

    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    raw_await_end(fd);
}

static void bad_callers_are_told_or_cut_off(void **state)
{
    static const char too_long[] = "\xff\xff\xff\x00{";
    static const char no_json[] = "\x03\x00\x00\x00{{{";
    static const char no_call[] = "\x02\x00\x00\x00{}";
    struct host_vm_start_result r;

    expect_answer("{\"id\":1,\"call\":\"rm_rf\",\"args\":{}}", "no call is called rm_rf");
    expect_answer("{\"id\":2}", "no call is called nothing");
    expect_answer("{\"id\":3,\"call\":\"vm_start\",\"args\":{}}", "FIELD_TYPE_ERROR");
    expect_answer("{\"id\":4,\"call\":\"vm_start\"}", "FIELD_TYPE_ERROR");
    expect_answer("{\"id\":5,\"call\":\"vm_pause\",\"args\":{\"uuid\":7}}", "FIELD_TYPE_ERROR");
    expect_end(too_long, sizeof(too_long) - 1);
    expect_end(no_json, sizeof(no_json) - 1);
    expect_end(no_call, sizeof(no_call) - 1);
    assert_null(call_start("u", &r));
}

static void unasked_descriptors_are_refused(void **state)
{
    static const char call[] = "{\"id\":1,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"u\"}}";
    _cleanup_close_ int fd = raw_greeted(bed->path);
    _cleanup_frame_ struct frame f = FRAME_INIT;
    int fds[2] = {0, 0};

    assert_null(frame_send(fd, call, sizeof(call) - 1, fds, 2));
    assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
    assert_non_null(strstr(f.text.s, "error"));
}

static void a_call_learns_that_nobody_waits(void **state)
{
    static const char call[] = "{\"id\":9,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"u\"}}";
    static const char cancel[] = "{\"cancel\":9}";
    int fd = raw_greeted(bed->path);

    assert_null(frame_send(fd, call, sizeof(call) - 1, NULL, 0));
    await(&bed->slow, 1);
    assert_null(frame_send(fd, cancel, sizeof(cancel) - 1, NULL, 0));
    await(&bed->cancelled, 1);
    assert_null(frame_send(fd, call, sizeof(call) - 1, NULL, 0));
    await(&bed->slow, 1);
    close(fd);
    await(&bed->cancelled, 2);
}

static void the_next_one_is_heard_when_old_calls_have_ended(void **state)
{
    static const char call[] = "{\"id\":9,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"u\"}}";
    int old = raw_greeted(bed->path);
    _cleanup_frame_ struct frame f = FRAME_INIT;

    bed->stubborn = true;
    assert_null(frame_send(old, call, sizeof(call) - 1, NULL, 0));
    await(&bed->slow, 1);
    close(old);
    _cleanup_close_ int next = raw_connection(bed->path);
    struct pollfd p = {.fd = next, .events = POLLIN};

    raw_greet(next, HOST_PROTO_DIGEST);
    assert_int_equal(poll(&p, 1, 300), 0);
    pthread_mutex_lock(&bed->lock);
    bed->release = true;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
    assert_null(frame_recv(next, FRAME_MAX_REPLY, &f));
    assert_non_null(strstr(f.text.s, "result"));
}

static void strangers_are_not_served(void **state)
{
    static const char call[] = "{\"id\":1,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"u\"}}";
    _cleanup_close_ int silent = raw_connection(bed->path);
    _cleanup_close_ int other = raw_connection(bed->path);
    struct host_vm_start_result r;

    assert_null(frame_send(silent, call, sizeof(call) - 1, NULL, 0));
    raw_await_end(silent);
    raw_greet(other, "0123456789abcdef");
    raw_await_end(other);
    assert_int_equal(bed->slow, 0);
    assert_null(call_start("u", &r));
}

static void too_many_descriptors_end_it(void **state)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(40 * sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (char[]){"\x02\0\0\0{}"}, .iov_len = 6};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    _cleanup_close_ int fd = raw_greeted(bed->path);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(40 * sizeof(int));
    memset(CMSG_DATA(c), 0, 40 * sizeof(int)); /* standard input, 40 times */
    assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), 6);
    raw_await_end(fd);
}

/* Silence between messages is fine for as long as it lasts; within one it is not. */
static void half_a_message_ends_it(void **state)
{
    static const char head[] = "\x10\0\0\0{\"id";
    _cleanup_close_ int half = raw_greeted(bed->path);
    _cleanup_close_ int idle = raw_greeted(bed->path);

    assert_int_equal(send(half, head, sizeof(head) - 1, MSG_NOSIGNAL), (int)sizeof(head) - 1);
    raw_await_end(half);
    raw_greet(idle, HOST_PROTO_DIGEST);
    _cleanup_frame_ struct frame f = FRAME_INIT;

    assert_null(frame_recv(idle, FRAME_MAX_REPLY, &f));
}

/* The slow bodies hold 65 messages of a megabyte; no more is taken, and small ones go on later. */
static void large_calls_are_bounded_together(void **state)
{
    _cleanup_close_ int fd = raw_greeted(bed->path);
    _cleanup_str_ struct str call = STR_INIT;
    int refused = 0;

    str_add(&call, "{\"id\":1,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"");
    while (call.len < FRAME_MAX_CALL - 16)
        str_add_char(&call, 'u');
    str_add(&call, "\"}}");
    for (int i = 0; i < 70; i++)
        assert_null(frame_send(fd, call.s, call.len, NULL, 0));
    for (; refused < 5; refused++) {
        _cleanup_frame_ struct frame f = FRAME_INIT;

        assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
        assert_non_null(strstr(str_cstr(&f.text), "too many large calls"));
    }
}

/* Eight are worked on, 512 wait, the next ones are refused at once. */
static void calls_that_wait_are_bounded(void **state)
{
    static const char call[] = "{\"id\":1,\"call\":\"vm_pause\",\"args\":{\"uuid\":\"u\"}}";
    _cleanup_close_ int fd = raw_greeted(bed->path);

    await(&bed->connects, 1); /* the client's greeting is a call too */
    for (int i = 0; i < 8; i++)
        assert_null(frame_send(fd, call, sizeof(call) - 1, NULL, 0));
    await(&bed->slow, 8);
    for (int i = 0; i < 512 + 3; i++)
        assert_null(frame_send(fd, call, sizeof(call) - 1, NULL, 0));
    for (int refused = 0; refused < 3; refused++) {
        _cleanup_frame_ struct frame f = FRAME_INIT;

        assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
        assert_non_null(strstr(str_cstr(&f.text), "too many calls"));
    }
    pthread_mutex_lock(&bed->lock);
    bed->release = true;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
    for (int done = 0; done < 8 + 512; done++) {
        _cleanup_frame_ struct frame f = FRAME_INIT;

        assert_null(frame_recv(fd, FRAME_MAX_REPLY, &f));
        assert_null(strstr(str_cstr(&f.text), "too many calls"));
    }
}

static void accepting_goes_on_when_descriptors_are_back(void **state)
{
    struct rlimit before, none;
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    await(&bed->connects, 1);
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1; /* room for the connecting side alone */
    close(fd);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
    int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", bed->path);
    assert_return_code(connect(late, (const struct sockaddr *)&to, sizeof(to)), errno);
    struct pollfd p = {.fd = late, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 300), 0); /* accept has failed at least twice by then */
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
    close(late);
    /* The first connection took the descriptor its accept had kept ready; this one needs another.
     */
    _cleanup_close_ int next = raw_greeted(bed->path);
    _cleanup_close_ int more = raw_greeted(bed->path);
}

static void other_users_are_cut_off(void **state)
{
    int status;

    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
    assert_return_code(chmod(bed->dir, 0711), errno);
    assert_return_code(chmod(bed->path, 0666), errno);
    pid_t pid = fork();

    if (pid == 0) {
        int fd;
        char c;
        struct error *e = setuid(65534) ? error_errno(errno, "setuid")
                                        : io_connect_unix(bed->path, SOCK_STREAM, &fd);

        _exit(e ? 1 : recv(fd, &c, 1, 0) == 0 ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(values_go_there_and_back),
        T(errors_arrive_as_they_were),
        T(descriptors_come_with_the_answer),
        T(a_slow_call_holds_nobody_up),
        T(events_come_in_order),
        T(a_listener_that_sleeps_is_told_anew),
        T(events_that_nobody_reads_end_it),
        T(a_lost_hostd_is_found_again),
        T(letting_go_fails_the_calls_under_way),
        T(bad_callers_are_told_or_cut_off),
        T(unasked_descriptors_are_refused),
        T(strangers_are_not_served),
        T(too_many_descriptors_end_it),
        cmocka_unit_test_setup_teardown(half_a_message_ends_it, set_up_impatient, tear_down),
        T(large_calls_are_bounded_together),
        T(calls_that_wait_are_bounded),
        T(accepting_goes_on_when_descriptors_are_back),
        T(other_users_are_cut_off),
        T(a_call_learns_that_nobody_waits),
        T(the_next_one_is_heard_when_old_calls_have_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
