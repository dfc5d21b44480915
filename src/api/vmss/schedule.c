/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VMSS.schedule may say, and the moments it names. */
#include "api/vmss/vmss.h"

#include "api/common/lists.h"
#include "gen/errors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HOUR_S          3600
#define DAY_S           (24 * HOUR_S)
#define QUARTER_MIN     15
#define FIRST_DAY_WDAY  4 /* 1 January 1970 was a Thursday */
#define DAYS_TEXT_LIMIT 80

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* A plain number from 0 to max, or -1. */
static int number(const char *text, int max)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return -1;
    long v = strtol(text, &end, 10);

    return *end || v > max ? -1 : (int)v;
}

/* Bits of tm_wday; 0 = it is no list of days. */
static unsigned days_of(const char *text)
{
    char copy[DAYS_TEXT_LIMIT];
    unsigned days = 0;
    char *rest = copy, *name;

    if (!text || strlen(text) >= sizeof(copy))
        return 0;
    memcpy(copy, text, strlen(text) + 1);
    while ((name = strsep(&rest, ","))) {
        size_t i = 0;

        name += strspn(name, " ");
        while (i < ARRAY_SIZE(day_names) && strcasecmp(name, day_names[i]) != 0)
            i++;
        if (i == ARRAY_SIZE(day_names))
            return 0;
        days |= 1u << i;
    }
    return days;
}

static bool is_good(const char *key, const char *value)
{
    if (streq(key, VMSS_MIN))
        return number(value, 59) >= 0 && number(value, 59) % QUARTER_MIN == 0;
    if (streq(key, VMSS_HOUR))
        return number(value, 23) >= 0;
    return streq(key, VMSS_DAYS) && days_of(value);
}

struct error *vmss_check_key(const char *key, const char *value)
{
    _cleanup_free_ char *name = NULL;

    if (is_good(key, value))
        return NULL;
    name = xasprintf("schedule:%s", key);
    return err_invalid_value(name, value);
}

struct error *vmss_check_schedule(const struct map_string_string *schedule,
                                  enum vmss_frequency frequency)
{
    static const char *const needed[] = {VMSS_MIN, VMSS_HOUR, VMSS_DAYS};

    for (size_t i = 0; i < schedule->n; i++)
        TRY(vmss_check_key(schedule->k[i], schedule->v[i]));
    for (size_t i = 0; i <= (size_t)frequency; i++)
        if (!map_find(schedule, needed[i]))
            TRY(vmss_check_key(needed[i], ""));
    return NULL;
}

static bool day_fits(const struct vmss_rec *v, int64_t day)
{
    return v->frequency != VMSS_FREQUENCY_WEEKLY ||
           (days_of(map_find(&v->schedule, VMSS_DAYS)) &
            (1u << ((day + FIRST_DAY_WDAY) % (int64_t)ARRAY_SIZE(day_names))));
}

int64_t vmss_last_due(const struct vmss_rec *v, int64_t now)
{
    int min = number(map_find(&v->schedule, VMSS_MIN), 59);
    int hour = number(map_find(&v->schedule, VMSS_HOUR), 23);

    if (min < 0 || now < 0)
        return -1;
    if (v->frequency == VMSS_FREQUENCY_HOURLY) {
        int64_t at = now / HOUR_S * HOUR_S + min * 60;

        return at <= now ? at : at - HOUR_S;
    }
    if (hour < 0)
        return -1;
    for (int64_t day = now / DAY_S; day >= 0 && day > now / DAY_S - 8; day--) {
        int64_t at = day * DAY_S + hour * HOUR_S + min * 60;

        if (at <= now && day_fits(v, day))
            return at;
    }
    return -1;
}
