/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of the database straight into records, without a tree in between: a start reads all of them.
 * Only text of our own making gets here (it has passed its checksum), so this reads the one form
 * that json.c writes, and hands back what looks different in any way.
 */
#include "value/json.h"
#include "value/number.h"

struct reader {
    struct arena *arena;
    const char *at;
    const char *end;
    int depth;
};

static bool read_value(struct reader *r, const struct type *t, void *ret);

static bool skip(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool skip_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* The letter after a backslash; 0 = none that is known here. */
static char unescape(char c)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    const char *p = c ? strchr(from, c) : NULL;

    return p ? to[p - from] : 0;
}

static bool read_string(struct reader *r, const char **ret)
{
    if (!skip(r, '"'))
        return false;
    const char *close = memchr(r->at, '"', (size_t)(r->end - r->at));
    size_t n = 0;

    while (close && close[-1] == '\\') /* perhaps its own escape: then too far, which is harmless */
        close = memchr(close + 1, '"', (size_t)(r->end - close - 1));
    if (!close)
        return false;
    size_t len = (size_t)(close - r->at);
    char *text = arena_alloc(r->arena, len + 1);

    if (!memchr(r->at, '\\', len)) {
        memcpy(text, r->at, len);
        r->at += len;
        n = len;
    }
    while (r->at < close && *r->at != '"') {
        char c = *r->at++;

        if (c == '\\' && !(c = unescape(*r->at++)))
            return false;
        text[n++] = c;
    }
    text[n] = 0;
    *ret = text;
    return skip(r, '"');
}

static bool read_number(struct reader *r, char ret[40])
{
    size_t n = 0;

    while (r->at < r->end && strchr("+-.0123456789eE", *r->at) && *r->at && n < 39)
        ret[n++] = *r->at++;
    ret[n] = 0;
    return n > 0;
}

static bool read_int(struct reader *r, int64_t *ret)
{
    char text[40];

    return read_number(r, text) && number_parse_int(text, ret);
}

static bool read_float(struct reader *r, double *ret)
{
    char text[40];

    return read_number(r, text) && number_parse_float(text, ret);
}

static bool read_bool(struct reader *r, bool *ret)
{
    *ret = skip_word(r, "true");
    return *ret || skip_word(r, "false");
}

static bool read_datetime(struct reader *r, int64_t *ret)
{
    const char *text;

    if (!read_string(r, &text))
        return false;
    _cleanup_error_ struct error *e = datetime_parse(text, ret);

    return !e;
}

static bool read_enum(struct reader *r, const struct enum_info *en, int *ret)
{
    const char *text;

    if (!read_string(r, &text))
        return false;
    *ret = enum_find(en, text);
    return *ret >= 0;
}

/* Room for one more; it doubles when n is a power of two. */
static void *grown(struct reader *r, void *v, size_t n, size_t size)
{
    if (n & (n - 1))
        return v;
    char *more = arena_zalloc(r->arena, MAX(2 * n, 1u) * size);

    if (n)
        memcpy(more, v, n * size);
    return more;
}

static bool read_set(struct reader *r, const struct type *t, struct set *ret)
{
    size_t n = 0, size = t->elem->size;
    char *v = NULL;

    if (!skip(r, '['))
        return false;
    while (n ? skip(r, ',') : r->at < r->end && *r->at != ']') {
        v = grown(r, v, n, size);
        if (!read_value(r, t->elem, v + n++ * size))
            return false;
    }
    *ret = (struct set){.n = n, .v = v};
    return skip(r, ']');
}

static bool read_map(struct reader *r, const struct type *t, struct map *ret)
{
    size_t n = 0, size = t->elem->size;
    char *k = NULL, *v = NULL;

    if (t->key->kind != K_STRING && t->key->kind != K_REF)
        return false;
    if (!skip(r, '{'))
        return false;
    while (n ? skip(r, ',') : r->at < r->end && *r->at != '}') {
        k = grown(r, k, n, sizeof(char *));
        v = grown(r, v, n, size);
        if (!read_string(r, (const char **)(void *)k + n) || !skip(r, ':') ||
            !read_value(r, t->elem, v + n++ * size))
            return false;
    }
    *ret = (struct map){.n = n, .k = k, .v = v};
    return skip(r, '}');
}

/* The field whose name comes next, after that of *at; members have the order of the table. */
static const struct field *read_name(struct reader *r, const struct struct_info *si, int *at)
{
    if (!skip(r, '"'))
        return NULL;
    for (; *at < si->n; (*at)++) {
        const char *name = si->fields[*at].name;
        size_t n = strlen(name);

        if ((size_t)(r->end - r->at) > n && r->at[n] == '"' && memcmp(r->at, name, n) == 0) {
            r->at += n + 1;
            return &si->fields[(*at)++];
        }
    }
    return NULL;
}

static bool read_record(struct reader *r, const struct struct_info *si, void *rec)
{
    int at = 0;
    bool any = false;

    if (r->depth++ == VALUE_MAX_DEPTH || !skip(r, '{'))
        return false;
    while (any ? skip(r, ',') : r->at < r->end && *r->at != '}') {
        const struct field *f = read_name(r, si, &at);

        if (!f || !skip(r, ':') || !read_value(r, f->type, field_at_mut(f, rec)))
            return false;
        any = true;
    }
    r->depth--;
    return skip(r, '}');
}

static bool read_value(struct reader *r, const struct type *t, void *ret)
{
    switch (t->kind) {
    case K_STRING:
    case K_SECRET:
    case K_REF:
        return read_string(r, ret);
    case K_INT:
        return read_int(r, ret);
    case K_FLOAT:
        return read_float(r, ret);
    case K_BOOL:
        return read_bool(r, ret);
    case K_DATETIME:
        return read_datetime(r, ret);
    case K_ENUM:
        return read_enum(r, t->en, ret);
    case K_SET:
        return read_set(r, t, ret);
    case K_MAP:
        return read_map(r, t, ret);
    case K_RECORD:
        value_zero(t, ret);
        return read_record(r, t->record, ret);
    default:
        return false;
    }
}

bool record_from_row(struct arena *a, const struct struct_info *si, const char *text, size_t len,
                     void *rec)
{
    struct reader r = {.arena = a, .at = text, .end = text + len};

    return !memchr(text, 0, len) && read_record(&r, si, rec) && r.at == r.end;
}
