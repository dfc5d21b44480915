/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "value/number.h"

#include <errno.h>
#include <math.h>
#include <strings.h>

/* The largest number whose 16 digits still read back as finite. */
#define FLOAT_LARGEST 1.797693134862315e308
/* Integers below this have at most 15 digits and need no printf. */
#define FLOAT_INTEGRAL 1e15

/* True if v is done: written as an integer. */
static bool add_integral(struct str *out, double *v)
{
    if (isnan(*v))
        *v = 0;
    if (*v > FLOAT_LARGEST)
        *v = FLOAT_LARGEST;
    if (*v < -FLOAT_LARGEST)
        *v = -FLOAT_LARGEST;
    if (*v >= FLOAT_INTEGRAL || *v <= -FLOAT_INTEGRAL || *v != (double)(long long)*v)
        return false;
    str_add_int(out, (long long)*v);
    return true;
}

void number_add_float(struct str *out, double v)
{
    if (!add_integral(out, &v))
        str_printf(out, "%.16g", v);
}

void number_add_float_exact(struct str *out, double v)
{
    if (add_integral(out, &v))
        return;
    size_t at = out->len;

    str_printf(out, "%.16g", v);
    if (strtod(out->s + at, NULL) == v)
        return;
    out->len = at;
    str_printf(out, "%.17g", v);
}

bool number_parse_int(const char *s, int64_t *ret)
{
    char *end;

    if (!(*s >= '0' && *s <= '9') && *s != '-' && *s != '+')
        return false;
    errno = 0;
    long long v = strtoll(s, &end, 10);

    if (end == s || *end || errno)
        return false;
    *ret = v;
    return true;
}

bool number_parse_float(const char *s, double *ret)
{
    char *end;

    /* strtod alone would also take hexadecimal, names and leading blanks. */
    if (!*s || s[strspn(s, "+-.0123456789eE")])
        return false;
    double v = strtod(s, &end);

    if (end == s || *end || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

const char *enum_text(const struct enum_info *en, int v)
{
    return v >= 0 && v < en->n ? en->names[v] : "";
}

int enum_find(const struct enum_info *en, const char *name)
{
    for (int i = 0; i < en->n; i++) {
        if (en->exact ? streq(en->names[i], name) : strcasecmp(en->names[i], name) == 0)
            return i;
    }
    return -1;
}
