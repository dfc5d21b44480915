/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/seed.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"
#include "simulation/accidents.h"
#include "simulation/bodies.h"
#include "simulation/disk.h"
#include "simulation/fail.h"
#include "simulation/history.h"
#include "simulation/journal.h"
#include "simulation/link.h"
#include "simulation/listener.h"
#include "simulation/load.h"
#include "simulation/mutants.h"
#include "simulation/programs.h"
#include "simulation/rest.h"
#include "simulation/sched.h"
#include "simulation/world.h"

#include <assert.h>
#include <ftw.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>

#define STATE_DIR "/proc/self/cwd"
#define LISTENERS 3

static struct chance chance;
static struct seed_options options;
static char directory[] = "/dev/shm/xenolith-simulation-XXXXXX";

/* ---- findings ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void clean_up(void)
{
    if (chdir("/") == 0)
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static _printf_(1, 0) void tell(const char *fmt, va_list ap)
{
    dprintf(2, "seed %" PRIu64 ", %.6f s, step %" PRIu64 ": ", options.seed,
            (double)sched_now_us() / 1e6, sched_steps());
    vdprintf(2, fmt, ap);
    dprintf(2, "\n");
}

void fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tell(fmt, ap);
    va_end(ap);
    clean_up();
    _exit(1);
}

void fail_stuck(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tell(fmt, ap);
    va_end(ap);
    sched_dump();
    clean_up();
    _exit(1);
}

static void on_signal(int sig)
{
    dprintf(2, "seed %" PRIu64 ", %.6f s, step %" PRIu64 ": signal %d in \"%s\"\n", options.seed,
            (double)sched_now_us() / 1e6, sched_steps(), sig, sched_my_name());
    sched_dump_me();
    if (sig == SIGALRM)
        sched_dump();
    clean_up();
    _exit(1);
}

static void catch_signals(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &sa, NULL);
}

/* ---- what kind of world ---- */

struct weather {
    struct sched_config sched;
    struct link_config link;
    struct load_config load;
    struct accidents_config accidents;
    bool first_start; /* accidents begin before the first start is over */
    enum disk_fault disk;
};

static unsigned one_of(const unsigned *of, size_t n)
{
    return of[chance_below(&chance, n)];
}

#define ONE_OF(...)                                                                                \
    one_of((const unsigned[]){__VA_ARGS__}, ARRAY_SIZE(((const unsigned[]){__VA_ARGS__})))

static struct weather choose_weather(void)
{
    struct weather k = {
        .sched = {.seed = chance_next(&chance),
                  .stay = ONE_OF(1, 2, 4, 10, 50),
                  .spurious = ONE_OF(0, 0, 1, 20)},
        .link = {.chance = &chance,
                 .latency_us = ONE_OF(20, 300, 3000, 50000),
                 .slow = ONE_OF(0, 2, 20),
                 .lost = ONE_OF(0, 0, 20, 100),
                 .refused = ONE_OF(0, 50, 300, 1000)},
        .load = {.chance = &chance, .clients = ONE_OF(1, 2, 4, 8), .calls = ONE_OF(10, 20, 40)},
        .accidents = {.chance = &chance,
                      .state_dir = STATE_DIR,
                      .n = ONE_OF(0, 1, 2, 4, 8),
                      .guests = ONE_OF(0, 1)},
        .first_start = ONE_OF(0, 0, 0, 0, 0, 0, 0, 1),
    };

    if (chance_in(&chance, 1, 8))
        k.disk = (enum disk_fault)ONE_OF(DISK_EIO, DISK_FULL, DISK_FLUSH_EIO);
    k.accidents.steps = (uint64_t)k.load.clients * k.load.calls * 60;
    return k;
}

/* ---- one run ---- */

static void install(const struct weather *k)
{
    json_object_seed(1);
    sched_init(&k->sched);
    world_install(&chance);
    disk_install(&chance);
    link_init(&k->link);
    log_set_level(options.verbose ? LOG_DEBUG : LOG_ERROR);
}

static void finish_load(struct listener **listeners)
{
    while (!load_done())
        sched_sleep(10000);
    accidents_end();
    bodies_end();
    link_calm();
    disk_fail(DISK_FINE, 0, 0);
    accidents_await_ready();
    rest_await();
    for (int i = 0; i < LISTENERS; i++)
        listener_catch_up(listeners[i]);
}

static void check_all(struct listener **listeners)
{
    struct client checker = {.name = "checker"};

    rest_check(load_sr());
    journal_check(&checker);
    for (int i = 0; i < LISTENERS; i++)
        listener_check(listeners[i], &checker);
}

static void last_restart(struct listener **listeners)
{
    struct client checker = {.name = "checker"};

    rest_remember();
    daemon_kill();
    accidents_await_ready();
    rest_compare();
    rest_await();
    rest_check(load_sr());
    journal_check(&checker);
    for (int i = 0; i < LISTENERS; i++)
        listener_end(listeners[i]);
    accidents_let_go();
    if (!daemon_stop() || !host_stop())
        fail_stuck("the programs do not end");
}

static void tell_figures(void)
{
    struct history_stats s = history_stats();

    printf("seed %" PRIu64 ": %lu calls, %u accidents; %lu commits, %lu of them waited for without "
           "a thread, with %lu reads, %lu absences,"
           " %lu lists; %lu conflicts; %lu loads of %lu rows; %.1f s in %" PRIu64
           " steps; trace %016" PRIx64 "\n",
           options.seed, load_calls(), accidents_count(), s.commits, s.laters, s.reads, s.absences,
           s.scans, s.conflicts, s.loads, s.rows, (double)sched_now_us() / 1e6, sched_steps(),
           trace_digest());
}

void seed_run(const struct seed_options *o)
{
    static const char *const everything[] = {"*", NULL};
    static const char *const some[] = {"vm", "task", "pool", NULL};
    static const char *const one[] = {"secret", NULL};
    struct listener *listeners[LISTENERS];

    options = *o;
    chance.state = o->seed * 0x9e3779b97f4a7c15u;
    if (!mkdtemp(directory) || chdir(directory) < 0)
        abort();
    catch_signals();
    struct weather k = choose_weather();

    install(&k);
    mutant_choose(o->mutant);
    if (o->trace)
        trace_to(o->trace);
    if (k.first_start) {
        k.accidents.steps += 2000;
        accidents_start(&k.accidents);
    }
    accidents_keep_running(STATE_DIR);
    accidents_await_ready();
    load_prepare(&k.load);
    listeners[0] = listener_start("all", everything);
    listeners[1] = listener_start("some", some);
    listeners[2] = listener_start("one", one);
    if (k.disk != DISK_FINE)
        disk_fail(k.disk, (unsigned)chance_below(&chance, 300), ONE_OF(1, 1, 5));
    k.accidents.from = sched_steps();
    if (!k.first_start)
        accidents_start(&k.accidents);
    bodies_start(&chance, ONE_OF(0, 2, 4), 30);
    load_start();
    finish_load(listeners);
    check_all(listeners);
    last_restart(listeners);
    if (o->tell)
        tell_figures();
    clean_up();
}
