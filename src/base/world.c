/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/world.h"

#include "base/mem.h"

#include <sys/random.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t real_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static int64_t real_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void real_random(void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0)
            continue; /* only EINTR is possible with these flags */
        at += got;
        n -= (size_t)got;
    }
}

const struct world world_real = {
    .now_us = real_now_us,
    .mono_us = real_mono_us,
    .random = real_random,
};
const struct world *world = &world_real;

char *now_for_names(void)
{
    time_t now = (time_t)now_s();
    char text[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
    return xstrdup(text);
}
