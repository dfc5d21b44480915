/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/bar.h"

#define SECOND_US 1000000
#define EVERY_US  (SECOND_US / 5)
#define WIDTH     24
#define TO_END    "\033[K" /* what stood in the rest of the line */

static void add_amount(struct str *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        unit++;
    }
    str_printf(out, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void add_time(struct str *out, double seconds)
{
    long long s = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (long long)(seconds + 0.5);

    if (s >= 3600)
        str_printf(out, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        str_printf(out, "%lld:%02lld", s / 60, s % 60);
}

void bar_init(struct bar *b, int64_t now_us)
{
    *b = (struct bar){.start_us = now_us};
}

static double rate_of(const struct bar *b, int64_t now_us, int64_t done)
{
    double seconds = (double)(now_us - b->start_us) / SECOND_US;

    return seconds > 0 ? (double)done / seconds : 0;
}

bool bar_line(struct bar *b, int64_t now_us, int64_t done, int64_t total, struct str *out)
{
    double rate = rate_of(b, now_us, done);

    if (now_us - b->told_us < EVERY_US && b->told_us)
        return false;
    b->told_us = now_us;
    str_lit(out, "\r");
    if (total > 0) {
        double share = done > total ? 1 : (double)done / (double)total;

        str_printf(out, "%3d%% [", (int)(share * 100));
        for (int i = 0; i < WIDTH; i++)
            str_add_char(out, i < (int)(share * WIDTH) ? '#' : ' ');
        str_lit(out, "] ");
    }
    add_amount(out, (double)done);
    str_lit(out, "  ");
    add_amount(out, rate);
    str_lit(out, "/s");
    if (total > 0 && rate > 0) {
        str_lit(out, "  ");
        add_time(out, (double)(total - done) / rate);
        str_lit(out, " left");
    }
    str_lit(out, TO_END);
    return true;
}

void bar_end(const struct bar *b, int64_t now_us, int64_t done, struct str *out)
{
    str_lit(out, "\r");
    add_amount(out, (double)done);
    str_lit(out, " in ");
    add_time(out, (double)(now_us - b->start_us) / SECOND_US);
    str_lit(out, ", ");
    add_amount(out, rate_of(b, now_us, done));
    str_lit(out, "/s" TO_END "\n");
}
