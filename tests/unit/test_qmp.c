/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP client against a scripted peer on a socket pair. */

#include "base/io.h"
#include "base/world.h"
#include "hv/qmp.h"
#include "value/json.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

struct peer {
    int fd;
    pthread_t thread;
};

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int events;
    int ends;
    int64_t last_us;
};

static void on_event(void *arg, const char *event, json_t *data, int64_t us)
{
    struct seen *s = arg;

    pthread_mutex_lock(&s->lock);
    if (!event)
        s->ends++;
    else if (streq(event, "JOB_STATUS_CHANGE") && json_object_get(data, "id"))
        s->events++;
    s->last_us = us;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void await(struct seen *s, int events, int ends)
{
    pthread_mutex_lock(&s->lock);
    while (s->events < events || s->ends < ends)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* One message of twice the 16 MiB that are taken. */
static void say_without_end(int fd)
{
    static const char part[65536] = "\"";

    for (size_t n = 0; n < 32u << 20; n += sizeof(part))
        if (send(fd, part, sizeof(part), MSG_NOSIGNAL) < 0)
            return;
}

static bool read_line(FILE *f, json_t **ret)
{
    char line[65536];

    if (!fgets(line, sizeof(line), f))
        return false;
    *ret = json_loads(line, 0, NULL);
    return *ret;
}

static void answer(int fd, const char *body, json_int_t id)
{
    _cleanup_free_ char *s = xasprintf("{%s, \"id\": %lld}\r\n", body, (long long)id);

    IGNORE_ERROR(io_write_all(fd, s, strlen(s)));
}

/* echo: returns its arguments; hold: answered together with the next command, after it; event: an
 * event first; fail-*: errors; late: never answered; bye: the peer goes away; junk: not JSON. */
static void act(int fd, const json_t *m, json_int_t *held)
{
    const char *c = json_string_value(json_object_get(m, "execute"));
    json_int_t id = json_integer_value(json_object_get(m, "id"));

    if (streq(c, "echo")) {
        _cleanup_free_ char *args = json_dumps(json_object_get(m, "arguments"), JSON_COMPACT);
        _cleanup_free_ char *s = xasprintf("\"return\": %s", args);
        answer(fd, s, id);
    } else if (streq(c, "hold")) {
        *held = id;
        return;
    } else if (streq(c, "event")) {
        const char *ev = "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"j\"}, "
                         "\"timestamp\": {\"seconds\": 7, \"microseconds\": 9}}\n";
        IGNORE_ERROR(io_write_all(fd, ev, strlen(ev)));
        answer(fd, "\"return\": {}", id);
    } else if (streq(c, "fail-space")) {
        answer(fd,
               "\"error\": {\"class\": \"GenericError\", \"desc\": \"No space left on device\"}",
               id);
    } else if (streq(c, "fail-device")) {
        answer(fd, "\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no such\"}", id);
    } else if (streq(c, "bye")) {
        shutdown(fd, SHUT_RDWR);
    } else if (streq(c, "junk")) {
        IGNORE_ERROR(io_write_all(fd, "}{\n", 3));
    } else if (streq(c, "endless")) {
        say_without_end(fd);
    } else if (streq(c, "qmp_capabilities")) {
        answer(fd, "\"return\": {}", id);
    }
    if (*held) {
        answer(fd, "\"return\": {\"held\": true}", *held);
        *held = 0;
    }
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    _cleanup_fclose_ FILE *f = fdopen(dup(p->fd), "r");
    json_int_t held = 0;
    json_t *m = NULL;

    IGNORE_ERROR(io_write_all(p->fd, GREETING, strlen(GREETING)));
    while (read_line(f, &m)) {
        act(p->fd, m, &held);
        json_decref(m);
    }
    close(p->fd);
    return NULL;
}

struct rig {
    struct qmp_loop *loop;
    struct peer peer;
    struct qmp *q;
    struct seen seen;
};

static int set_up(void **state)
{
    struct rig *r = xnew(struct rig);
    int sv[2];

    pthread_mutex_init(&r->seen.lock, NULL);
    pthread_cond_init(&r->seen.changed, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    r->peer.fd = sv[1];
    r->loop = qmp_loop_start();
    pthread_create(&r->peer.thread, NULL, peer_main, &r->peer);
    assert_null(qmp_open(r->loop, sv[0], 5 * SECOND_US, on_event, &r->seen, &r->q));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    qmp_close(r->q);
    pthread_join(r->peer.thread, NULL);
    qmp_loop_stop(r->loop);
    free(r);
    return 0;
}

static void test_answer(void **state)
{
    struct rig *r = *state;
    _cleanup_json_ json_t *v = NULL;

    assert_null(qmp_run(r->q, "echo", json_pack("{s:i}", "a", 5), 5 * SECOND_US, &v));
    assert_int_equal(json_integer_value(json_object_get(v, "a")), 5);
}

static void test_answers_out_of_order(void **state)
{
    struct rig *r = *state;
    _cleanup_json_ json_t *first = NULL;
    _cleanup_json_ json_t *second = NULL;
    uint64_t a;
    uint64_t b;

    assert_null(qmp_send(r->q, "hold", NULL, &a));
    assert_null(qmp_send(r->q, "echo", json_pack("{s:i}", "a", 1), &b));
    assert_null(qmp_wait(r->q, a, 5 * SECOND_US, &first));
    assert_null(qmp_wait(r->q, b, 5 * SECOND_US, &second));
    assert_true(json_is_true(json_object_get(first, "held")));
    assert_int_equal(json_integer_value(json_object_get(second, "a")), 1);
}

static void expect_errno(struct error *e, int num)
{
    assert_non_null(e);
    assert_int_equal(e->errnum, num);
    error_free(e);
}

static void test_errors(void **state)
{
    struct rig *r = *state;

    expect_errno(qmp_run(r->q, "fail-space", NULL, 5 * SECOND_US, NULL), ENOSPC);
    expect_errno(qmp_run(r->q, "fail-device", NULL, 5 * SECOND_US, NULL), ENODEV);
    expect_errno(qmp_run(r->q, "late", NULL, 10000, NULL), ETIMEDOUT);
    test_answer(state);
}

static void test_events(void **state)
{
    struct rig *r = *state;
    struct seen second = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct qmp_listener l = {.fn = on_event, .arg = &second};

    qmp_listen(r->q, &l);
    assert_null(qmp_run(r->q, "event", NULL, 5 * SECOND_US, NULL));
    await(&r->seen, 1, 0);
    await(&second, 1, 0);
    assert_int_equal(r->seen.last_us, 7 * SECOND_US + 9);
    qmp_unlisten(r->q, &l);
    assert_null(qmp_run(r->q, "event", NULL, 5 * SECOND_US, NULL));
    await(&r->seen, 2, 0);
    assert_int_equal(second.events, 1);
}

static void test_peer_goes_away(void **state)
{
    struct rig *r = *state;

    expect_errno(qmp_run(r->q, "bye", NULL, 5 * SECOND_US, NULL), ECONNRESET);
    await(&r->seen, 0, 1);
    assert_false(qmp_is_open(r->q));
    expect_errno(qmp_run(r->q, "echo", NULL, 5 * SECOND_US, NULL), ECONNRESET);
}

static void test_junk(void **state)
{
    struct rig *r = *state;

    expect_errno(qmp_run(r->q, "junk", NULL, 5 * SECOND_US, NULL), ECONNRESET);
    await(&r->seen, 0, 1);
}

static void test_a_message_without_end(void **state)
{
    struct rig *r = *state;

    expect_errno(qmp_run(r->q, "endless", NULL, 20 * SECOND_US, NULL), ECONNRESET);
    await(&r->seen, 0, 1);
}

static void test_no_greeting(void **state)
{
    struct rig *r = *state;
    struct qmp *q = NULL;
    int sv[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    expect_errno(qmp_open(r->loop, sv[0], 10000, NULL, NULL, &q), ETIMEDOUT);
    assert_null(q);
    close(sv[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_out_of_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peer_goes_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_junk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_message_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_greeting, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
