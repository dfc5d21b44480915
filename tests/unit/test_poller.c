/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers, pollers and workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/poller.h"
#include "base/ticker.h"
#include "base/wait.h"
#include "base/workers.h"
#include "base/world.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Timers. */

struct mark {
    struct timer timer;
    int64_t *order;
    size_t *n;
};

static void note(struct timer *t)
{
    struct mark *m = container_of(t, struct mark, timer);

    m->order[(*m->n)++] = t->due_us;
}

static void timers_run_in_order(void **state)
{
    static struct mark marks[500];
    int64_t order[500];
    struct timers ts;
    size_t n = 0;
    unsigned seed = 1;

    timers_init(&ts);
    assert_int_equal(timers_next(&ts), TIMER_NEVER);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        marks[i] = (struct mark){.timer.fn = note, .order = order, .n = &n};
        timer_start(&ts, &marks[i].timer, rand_r(&seed) % 1000);
    }
    for (size_t i = 0; i < ARRAY_SIZE(marks); i += 3)
        timer_start(&ts, &marks[i].timer, rand_r(&seed) % 1000); /* moved */
    for (size_t i = 0; i < ARRAY_SIZE(marks); i += 5)
        timer_stop(&ts, &marks[i].timer);
    timers_run(&ts, 499);
    for (size_t i = 0; i < n; i++)
        assert_true(order[i] <= 499);
    assert_true(timers_next(&ts) > 499);
    timers_run(&ts, 1000);
    assert_int_equal(n, 400);
    for (size_t i = 1; i < n; i++)
        assert_true(order[i - 1] <= order[i]);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        assert_false(timer_is_started(&marks[i].timer));
    timers_fini(&ts);
}

struct again {
    struct timer timer;
    struct timers *ts;
    int n;
};

static void start_again(struct timer *t)
{
    struct again *a = container_of(t, struct again, timer);

    a->n++;
    timer_start(a->ts, t, t->due_us);
}

static void a_timer_for_the_past_waits_for_the_next_pass(void **state)
{
    struct timers ts;
    struct again a = {.timer.fn = start_again, .ts = &ts};

    timers_init(&ts);
    timer_start(&ts, &a.timer, 10);
    timers_run(&ts, 20);
    assert_int_equal(a.n, 1);
    timers_run(&ts, 20);
    assert_int_equal(a.n, 2);
    timers_fini(&ts);
    assert_false(timer_is_started(&a.timer));
}

/* Pollers. */

struct post {
    struct poller_work work;
    struct poller *poller;
    atomic_int *n;
    sem_t *done;
};

static void count_post(struct poller_work *work)
{
    struct post *p = container_of(work, struct post, work);

    assert_true(poller_is_current(p->poller));
    if (atomic_fetch_sub(p->n, 1) == 1)
        sem_post(p->done);
}

#define POSTS 2000

static void *post_many(void *arg)
{
    struct post *posts = arg;

    for (int i = 0; i < POSTS; i++)
        poller_post(posts[i].poller, &posts[i].work);
    return NULL;
}

static void work_is_posted_from_any_thread(void **state)
{
    static struct post posts[4][POSTS];
    _cleanup_poller_ struct poller *p = NULL;
    pthread_t threads[4];
    atomic_int n = 4 * POSTS;
    sem_t done;

    sem_init(&done, 0, 0);
    assert_null(poller_new(&p));
    assert_null(poller_start(p, "test"));
    assert_false(poller_is_current(p));
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < POSTS; i++)
            posts[t][i] = (struct post){{.fn = count_post}, p, &n, &done};
        pthread_create(&threads[t], NULL, post_many, posts[t]);
    }
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    sem_wait(&done);
    poller_stop(p);
    poller_join(p);
    sem_destroy(&done);
}

/* A loop in this thread: a pipe is read, a timer stops the loop. */
struct loop {
    struct poller_source source;
    struct timer timer;
    struct poller_work work;
    struct poller *poller;
    int write_fd;
    int events;
    int works;
};

static void on_pipe(struct poller_source *source, uint32_t events)
{
    struct loop *l = container_of(source, struct loop, source);
    char c;

    assert_true(events & EPOLLIN);
    assert_int_equal(read(source->fd, &c, 1), 1);
    if (++l->events == 3)
        timer_start(poller_timers(l->poller), &l->timer, poller_now(l->poller) + 1000);
    else
        poller_post(l->poller, &l->work);
}

static void on_work(struct poller_work *work)
{
    struct loop *l = container_of(work, struct loop, work);

    l->works++;
    assert_int_equal(write(l->write_fd, "x", 1), 1);
}

static void on_time(struct timer *t)
{
    struct loop *l = container_of(t, struct loop, timer);

    assert_true(poller_now(l->poller) >= t->due_us);
    poller_stop(l->poller);
}

static void a_loop_waits_for_descriptors_and_timers(void **state)
{
    _cleanup_poller_ struct poller *p = NULL;
    struct loop l = {.source.fn = on_pipe, .timer.fn = on_time, .work.fn = on_work};
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_null(poller_new(&p));
    l.poller = p;
    l.source.fd = fds[0];
    l.write_fd = fds[1];
    assert_null(poller_add(p, &l.source, EPOLLIN));
    poller_post(p, &l.work);
    poller_run(p);
    assert_int_equal(l.events, 3);
    assert_int_equal(l.works, 3);
    poller_remove(p, &l.source);
    poller_remove(p, &l.source);
    close(fds[0]);
    close(fds[1]);
}

/* Workers. */

struct gate {
    sem_t entered;
    sem_t open;
    atomic_int ran;
};

static void pass_gate(void *arg)
{
    struct gate *g = arg;

    sem_post(&g->entered);
    sem_wait(&g->open);
    atomic_fetch_add(&g->ran, 1);
}

static void workers_are_bounded(void **state)
{
    struct workers *w;
    struct gate g = {0};

    sem_init(&g.entered, 0, 0);
    sem_init(&g.open, 0, 0);
    assert_null(workers_new("test", 3, 5, &w));
    assert_int_equal(workers_stats(w).threads, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(workers_run(w, pass_gate, &g));
        sem_wait(&g.entered);
    }
    for (int i = 0; i < 5; i++)
        assert_true(workers_run(w, pass_gate, &g));
    assert_false(workers_run(w, pass_gate, &g));
    assert_int_equal(workers_stats(w).threads, 3);
    assert_int_equal(workers_stats(w).busy, 3);
    assert_int_equal(workers_stats(w).queued, 5);
    for (int i = 0; i < 8; i++)
        sem_post(&g.open);
    workers_free(w); /* what is queued runs first */
    assert_int_equal(atomic_load(&g.ran), 8);
    sem_destroy(&g.entered);
    sem_destroy(&g.open);
}

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void workers_run_everything_once(void **state)
{
    struct workers *w;
    atomic_int n = 0;
    int accepted = 0;

    assert_null(workers_new("test", 4, 64, &w));
    for (int i = 0; i < 20000; i++)
        accepted += workers_run(w, add_one, &n);
    workers_free(w);
    assert_true(accepted >= 64);
    assert_int_equal(atomic_load(&n), accepted);
    workers_free(NULL);
}

struct ticks {
    pthread_mutex_t lock;
    pthread_cond_t more;
    int n;
    bool last; /* was told to end while it ran */
};

static void tick(void *ctx, struct ticker *t)
{
    struct ticks *k = ctx;

    pthread_mutex_lock(&k->lock);
    if (++k->n == 3)
        pthread_cond_signal(&k->more);
    bool wait = k->n >= 3;

    pthread_mutex_unlock(&k->lock);
    for (int64_t end = mono_us() + 20 * SECOND_US; wait && mono_us() < end && !k->last;)
        k->last = ticker_is_stopping(t);
}

static void tickers_tick_until_they_are_stopped(void **state)
{
    struct ticks k = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
    int64_t end = mono_us() + 20 * SECOND_US;
    struct ticker *t;

    assert_null(ticker_start(1000, tick, &k, &t));
    pthread_mutex_lock(&k.lock);
    while (k.n < 3 && cond_wait_until(&k.more, &k.lock, end))
        ;
    pthread_mutex_unlock(&k.lock);
    ticker_stop(t); /* waits for the run under way, which waits for this */
    assert_int_equal(k.n, 3);
    assert_true(k.last);
    ticker_stop(NULL);
    assert_null(ticker_start(3600 * SECOND_US, tick, &k, &t));
    ticker_stop(t); /* not for the pause */
    assert_int_equal(k.n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order),
        cmocka_unit_test(a_timer_for_the_past_waits_for_the_next_pass),
        cmocka_unit_test(work_is_posted_from_any_thread),
        cmocka_unit_test(a_loop_waits_for_descriptors_and_timers),
        cmocka_unit_test(workers_are_bounded),
        cmocka_unit_test(tickers_tick_until_they_are_stopped),
        cmocka_unit_test(workers_run_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
