/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/accidents.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"
#include "hostd/machine.h"
#include "hv/hv.h"
#include "hv/sim/sim.h"
#include "simulation/disk.h"
#include "simulation/fail.h"
#include "simulation/history.h"
#include "simulation/link.h"
#include "simulation/programs.h"
#include "simulation/sched.h"

#include <dirent.h>
#include <stdlib.h>

static struct accidents_config config;
static const char *state_dir;
static bool keep, over, busy;
static unsigned happened;

/* ---- up again ---- */

static void *keeper_main(void *arg)
{
    struct chance *c = sched_chance();

    while (keep) {
        if (!host_lives())
            host_start(state_dir);
        if (!daemon_lives()) {
            history_daemon_gone();
            daemon_start(state_dir);
        }
        sched_sleep(chance_between(c, 1000, 50000));
    }
    return NULL;
}

void accidents_keep_running(const char *dir)
{
    state_dir = dir;
    keep = true;
    sched_release(sched_spawn(GROUP_WORLD, "keeper", keeper_main, NULL));
}

void accidents_let_go(void)
{
    keep = false;
    sched_sleep(SECOND_US);
}

void accidents_await_ready(void)
{
    int64_t end = sched_now_us() + 3600 * SECOND_US;

    while (!daemon_ready() || !host_ready()) {
        if (sched_now_us() > end)
            fail_stuck("the programs do not start: %s %s", daemon_failure() ? daemon_failure() : "",
                       host_failure() ? host_failure() : "");
        sched_sleep(1000);
    }
}

/* ---- accidents ---- */

/* What lies on a file system that a boot empties. */
static void forget_running(void)
{
    static const char *const dirs[] = {"run/sim", "run/guests", "run/storage"};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_closedir_ DIR *dir = opendir(dirs[i]);
        const struct dirent *e;

        while (dir && (e = readdir(dir))) {
            _cleanup_free_ char *path = xasprintf("%s/%s", dirs[i], e->d_name);

            if (e->d_name[0] != '.')
                unlink(path);
        }
    }
}

static void power_cut(void)
{
    trace_text("power cut");
    daemon_kill();
    host_kill();
    disk_power_cut();
    forget_running();
}

static void one_accident(void)
{
    switch (chance_below(config.chance, 8)) {
    case 0:
    case 1:
    case 2:
        daemon_kill();
        break;
    case 3:
        host_kill();
        break;
    case 4:
        power_cut();
        break;
    case 5:
        if (daemon_ready() && !daemon_stop())
            fail_stuck("xenolithd does not end");
        break;
    case 6:
        if (host_ready() && !host_stop())
            fail_stuck("hostd does not end");
        break;
    default:
        link_cut();
        break;
    }
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void *accidents_main(void *arg)
{
    uint64_t *at = xnew_array(uint64_t, config.n + 1);

    for (unsigned i = 0; i < config.n; i++)
        at[i] = config.from + chance_below(config.chance, config.steps);
    qsort(at, config.n, sizeof(*at), by_size);
    for (unsigned i = 0; i < config.n && !over; i++) {
        sched_until_step(at[i]);
        if (over)
            break;
        one_accident();
        happened++;
    }
    free(at);
    busy = false;
    return NULL;
}

/* ---- guests ---- */

struct whim {
    struct machine *machine;
    char *command;
};

/* A fiber of hostd's: it may be killed while it waits for a lock. */
static void *whim_main(void *arg)
{
    struct whim *w = arg;
    _cleanup_arena_ struct arena a;
    const char *answer;

    arena_init(&a);
    IGNORE_ERROR(hv_control(w->machine->hv, w->command, &a, &answer));
    free(w->command);
    free(w);
    return NULL;
}

static void one_whim(struct machine *m)
{
    static const char *const acts[] = {"poweroff", "reboot", "crash", "agent_up", "lost"};
    struct sim *sim = sim_of(m->hv);
    struct sim_domain *d;
    size_t pos = 0;
    size_t skip = chance_below(config.chance, sim->domains.n + 1);

    while ((d = strmap_next(&sim->domains, &pos, NULL)) && skip)
        skip--;
    if (!d)
        return;
    struct whim *w = xnew(struct whim);

    w->machine = m;
    w->command = xasprintf("{\"guest\": {\"uuid\": \"%s\", \"act\": \"%s\"}}", d->uuid,
                           acts[chance_below(config.chance, ARRAY_SIZE(acts))]);
    sched_release(sched_spawn(host_group(), "guest", whim_main, w));
}

static void *guests_main(void *arg)
{
    while (!over) {
        sched_sleep(chance_between(config.chance, 1000, 3000000));
        if (host_ready() && !over)
            one_whim(host_ready());
    }
    return NULL;
}

void accidents_start(const struct accidents_config *c)
{
    config = *c;
    busy = c->n > 0;
    if (c->n)
        sched_release(sched_spawn(GROUP_WORLD, "accidents", accidents_main, NULL));
    if (c->guests)
        sched_release(sched_spawn(GROUP_WORLD, "guests", guests_main, NULL));
}

void accidents_end(void)
{
    over = true;
    sched_hurry();
    while (busy)
        sched_sleep(1000);
}

unsigned accidents_count(void)
{
    return happened;
}
