/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs seeds, each in a process of its own: what it left in memory ends with it, and a crash is a
 * finding like any other.
 *
 *     simulate --seed N [--verbose]      one; prints its digest
 *     simulate --from N --seeds M        many; ends at the first that finds something
 */
#include "base/cleanup.h"
#include "simulation/mutants.h"
#include "simulation/seed.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define SEED_LIMIT_S 120 /* of real time; a seed takes a fraction of a second */

struct options {
    uint64_t from, seeds;
    bool one;
    struct seed_options seed;
};

static double real_seconds(void)
{
    struct timespec ts;

    /* Not clock_gettime, which is virtual here. */
    timespec_get(&ts, TIME_UTC);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool run_one(const struct options *o, uint64_t seed)
{
    struct seed_options so = o->seed;
    int status;

    so.seed = seed;
    fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        alarm(SEED_LIMIT_S);
        seed_run(&so);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSIGNALED(status))
        fprintf(stderr, "seed %" PRIu64 " died of signal %d\n", seed, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_all(const struct options *o)
{
    double begin = real_seconds();

    for (uint64_t i = 0; i < o->seeds; i++) {
        if (run_one(o, o->from + i))
            continue;
        fprintf(stderr, "FAILED seed %" PRIu64 "\n", o->from + i);
        return 1;
    }
    double s = real_seconds() - begin;

    printf("%" PRIu64 " seeds from %" PRIu64 " in %.1f s, %.1f a second\n", o->seeds, o->from, s,
           (double)o->seeds / s);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},   {"from", required_argument, NULL, 'f'},
        {"seeds", required_argument, NULL, 'n'},  {"verbose", no_argument, NULL, 'v'},
        {"mutant", required_argument, NULL, 'm'}, {"trace", required_argument, NULL, 't'},
        {"mutants", no_argument, NULL, 'l'},      {NULL, 0, NULL, 0}};
    struct options o = {.from = 1, .seeds = 1};
    int c;

    setenv("XENOLITH_HEARTBEAT_US", "1000000000000000",
           true); /* else it wakes whom a fault leaves asleep */
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 's' || c == 'f')
            o.from = strtoull(optarg, NULL, 10);
        else if (c == 'n')
            o.seeds = strtoull(optarg, NULL, 10);
        else if (c == 'v')
            o.seed.verbose = true;
        else if (c == 'm')
            o.seed.mutant = optarg;
        else if (c == 'l')
            return mutants_list(), 0;
        else if (c == 't')
            o.seed.trace = optarg;
        else
            return 2;
        o.seed.tell |= c == 's';
    }
    if (!mutant_choose(o.seed.mutant)) {
        fprintf(stderr, "there is no mutant %s; --mutants lists them\n", o.seed.mutant);
        return 2;
    }
    return run_all(&o);
}
