/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include <stdio.h>

void str_fini(struct str *b)
{
    free(b->s);
    *b = STR_INIT;
}

void str_clear(struct str *b)
{
    b->len = 0;
    if (b->s)
        b->s[0] = 0;
}

void str_reserve(struct str *b, size_t more)
{
    size_t need = b->len + more + 1;

    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;

    while (cap < need)
        cap += cap / 2;
    b->s = xrealloc(b->s, cap, 1);
    b->cap = cap;
}

void str_add_mem(struct str *b, const void *p, size_t n)
{
    str_reserve(b, n);
    if (n)
        memcpy(b->s + b->len, p, n);
    b->len += n;
    b->s[b->len] = 0;
}

void str_add(struct str *b, const char *s)
{
    str_add_mem(b, s, strlen(s));
}

void str_add_char(struct str *b, char c)
{
    str_add_mem(b, &c, 1);
}

void str_vprintf(struct str *b, const char *fmt, va_list ap)
{
    va_list ap2;

    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap2);
    va_end(ap2);
    str_reserve(b, (size_t)n);
    vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void str_printf(struct str *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(b, fmt, ap);
    va_end(ap);
}

void str_add_int(struct str *b, long long v)
{
    char digits[24];
    char *p = digits + sizeof(digits);
    unsigned long long u = v < 0 ? 0ull - (unsigned long long)v : (unsigned long long)v;

    do {
        *--p = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        *--p = '-';
    str_add_mem(b, p, (size_t)(digits + sizeof(digits) - p));
}

char *str_take(struct str *b)
{
    char *s = b->s ? b->s : xstrdup("");

    *b = STR_INIT;
    return s;
}
