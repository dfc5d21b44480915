/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * struct str: a growing byte string, always NUL-terminated once anything was added. `s` may be
 * NULL while len is 0; str_cstr() never returns NULL. The struct is embedded and owned by one
 * thread.
 */

#include "base/mem.h"

struct str {
    char *s;
    size_t len;
    size_t cap;
};

#define STR_INIT ((struct str){0})

void str_fini(struct str *b);
void str_clear(struct str *b); /* keeps the memory */
void str_reserve(struct str *b, size_t more);
void str_add_mem(struct str *b, const void *p, size_t n);
void str_add(struct str *b, const char *s);
void str_add_char(struct str *b, char c);
void str_printf(struct str *b, const char *fmt, ...) _printf_(2, 3);
void str_vprintf(struct str *b, const char *fmt, va_list ap) _printf_(2, 0);
void str_add_int(struct str *b, long long v);
/* Hands the memory over; the str is empty afterwards. Never NULL. */
_malloc_ char *str_take(struct str *b);

static inline const char *str_cstr(const struct str *b)
{
    return b->s ? b->s : "";
}

#define str_lit(b, literal) str_add_mem((b), "" literal, sizeof(literal) - 1)
#define _cleanup_str_       _cleanup_(str_fini)
