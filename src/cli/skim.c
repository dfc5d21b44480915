/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/skim.h"

#include <jansson.h>

static void skip_space(struct skim *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

/* p stands behind the opening quote; the place of the closing one, NULL if there is none. */
static const char *string_end(const char *p, const char *end)
{
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        const char *escape;

        if (!quote)
            return NULL;
        /* Escapes are rare: look for one before the quote, and step over it. */
        escape = memchr(p, '\\', (size_t)(quote - p));
        if (!escape)
            return quote;
        p = escape + 2;
    }
    return NULL;
}

/* Behind the value that starts at p. */
static const char *value_end(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        switch (*p) {
        case '"':
            p = string_end(p + 1, end);
            if (!p)
                return NULL;
            if (!depth)
                return p + 1;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (!depth)
                return p;
            if (!--depth)
                return p + 1;
            break;
        case ',':
        case ' ':
        case '\n':
        case '\r':
        case '\t':
            if (!depth)
                return p;
            break;
        default:
            break;
        }
    }
    return depth ? NULL : p;
}

bool skim_enter(struct slice value, struct skim *ret)
{
    struct skim s = {.p = value.p, .end = value.p + value.n};

    return skim_open(&s, ret);
}

bool skim_open(struct skim *s, struct skim *ret)
{
    skip_space(s);
    if (s->p >= s->end || (*s->p != '{' && *s->p != '['))
        return false;
    *ret = (struct skim){.p = s->p + 1, .end = s->end, .close = *s->p == '{' ? '}' : ']'};
    return true;
}

/* Is there another member or item? */
static bool more(struct skim *s)
{
    skip_space(s);
    if (s->p < s->end && *s->p == ',') {
        s->p++;
        skip_space(s);
    }
    if (s->p >= s->end)
        s->bad = true;
    return s->p < s->end && *s->p != s->close && !s->bad;
}

bool skim_key(struct skim *s, struct slice *ret)
{
    const char *quote;

    if (!more(s))
        return false;
    quote = *s->p == '"' ? string_end(s->p + 1, s->end) : NULL;
    if (!quote) {
        s->bad = true;
        return false;
    }
    *ret = (struct slice){s->p + 1, (size_t)(quote - s->p - 1)};
    s->p = quote + 1;
    skip_space(s);
    if (s->p >= s->end || *s->p != ':') {
        s->bad = true;
        return false;
    }
    s->p++;
    skip_space(s);
    return true;
}

bool skim_value(struct skim *s, struct slice *ret)
{
    const char *after = value_end(s->p, s->end);

    if (!after || after == s->p) {
        s->bad = true;
        return false;
    }
    *ret = (struct slice){s->p, (size_t)(after - s->p)};
    s->p = after;
    return true;
}

bool skim_item(struct skim *s, struct slice *ret)
{
    return more(s) && skim_value(s, ret);
}

bool slice_is(struct slice s, const char *text)
{
    return strlen(text) == s.n && memcmp(s.p, text, s.n) == 0;
}

bool slice_is_null(struct slice s)
{
    return slice_is(s, "null");
}

void slice_text(struct slice s, struct str *out)
{
    if (!slice_is_string(s)) {
        str_add_mem(out, s.p, s.n);
        return;
    }
    if (!memchr(s.p, '\\', s.n)) {
        str_add_mem(out, s.p + 1, s.n - 2);
        return;
    }
    json_t *j = json_loadb(s.p, s.n, JSON_DECODE_ANY, NULL);

    if (j)
        str_add_mem(out, json_string_value(j), json_string_length(j));
    json_decref(j);
}
