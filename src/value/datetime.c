/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dates as XenAPI writes them (ISO 8601 basic date, extended time, UTC) and as clients send them.
 * Day arithmetic is the proleptic Gregorian calendar, counted from 1 March so that the leap day
 * comes last in its year.
 */
#include "value/json.h"

#define DAY_S        86400
#define DAYS_400Y    146097           /* in the calendar's period of 400 years */
#define DAYS_TO_1970 719468           /* from 0000-03-01 to 1970-01-01 */
#define TIME_MIN     (-62167219200ll) /* 0000-01-01T00:00:00Z */
#define TIME_MAX     253402300799ll   /* 9999-12-31T23:59:59Z */

static int64_t days_from_civil(int64_t y, int m, int d)
{
    if (m <= 2)
        y--;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_400Y + day_of_era - DAYS_TO_1970;
}

static void civil_from_days(int64_t days, int *y, int *m, int *d)
{
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_400Y - 1)) / DAYS_400Y;
    int64_t doe = days - era * DAYS_400Y;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (DAYS_400Y - 1)) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

static char *put_digits(char *p, int v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + width;
}

void datetime_add(struct str *out, int64_t t)
{
    t = MAX(TIME_MIN, MIN(TIME_MAX, t));
    int64_t days = t / DAY_S;
    int s = (int)(t % DAY_S);
    int y, m, d;
    char text[17];
    char *p = text;

    if (s < 0) {
        s += DAY_S;
        days--;
    }
    civil_from_days(days, &y, &m, &d);
    p = put_digits(p, y, 4);
    p = put_digits(p, m, 2);
    p = put_digits(p, d, 2);
    *p++ = 'T';
    p = put_digits(p, s / 3600, 2);
    *p++ = ':';
    p = put_digits(p, s / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, s % 60, 2);
    str_add_mem(out, text, sizeof(text));
    str_add_char(out, 'Z');
}

/* Reads exactly `width` digits; false leaves *s somewhere. */
static bool take_digits(const char **s, int width, int *ret)
{
    int v = 0;

    for (int i = 0; i < width; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        v = v * 10 + (**s - '0');
    }
    *ret = v;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static int month_days(int y, int m)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return days[m - 1] + (m == 2 && leap);
}

static bool take_date(const char **s, int64_t *ret_days)
{
    int y, m, d;

    if (!take_digits(s, 4, &y))
        return false;
    bool extended = take_char(s, '-');

    if (!take_digits(s, 2, &m) || (extended && !take_char(s, '-')) || !take_digits(s, 2, &d))
        return false;
    if (m < 1 || m > 12 || d < 1 || d > month_days(y, m))
        return false;
    *ret_days = days_from_civil(y, m, d);
    return true;
}

/* Fractions of a second are accepted and dropped. */
static bool take_time(const char **s, int *ret_seconds)
{
    int h, m, sec;

    if (!take_digits(s, 2, &h))
        return false;
    bool extended = take_char(s, ':');

    if (!take_digits(s, 2, &m) || (extended && !take_char(s, ':')) || !take_digits(s, 2, &sec))
        return false;
    if (h > 23 || m > 59 || sec > 60)
        return false;
    if (**s == '.' || **s == ',') {
        int digit;

        (*s)++;
        if (!take_digits(s, 1, &digit))
            return false;
        while (take_digits(s, 1, &digit))
            ;
    }
    *ret_seconds = h * 3600 + m * 60 + sec;
    return true;
}

static bool take_zone(const char **s, int *ret_offset)
{
    int h, m = 0;

    *ret_offset = 0;
    if (!**s || take_char(s, 'Z'))
        return true;
    bool west = **s == '-';

    if (!west && **s != '+')
        return false;
    (*s)++;
    if (!take_digits(s, 2, &h))
        return false;
    if (take_char(s, ':') || **s) {
        if (!take_digits(s, 2, &m))
            return false;
    }
    if (h > 23 || m > 59)
        return false;
    *ret_offset = (h * 3600 + m * 60) * (west ? -1 : 1);
    return true;
}

struct error *datetime_parse(const char *s, int64_t *ret)
{
    const char *p = s;
    int64_t days;
    int seconds, offset;

    if (!take_date(&p, &days) || !take_char(&p, 'T') || !take_time(&p, &seconds) ||
        !take_zone(&p, &offset) || *p)
        return error_text("\"%.40s\" is not a date like 20240131T12:34:56Z", s);
    *ret = days * DAY_S + seconds - offset;
    return NULL;
}
