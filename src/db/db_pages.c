/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries of one page, without SQLite. Every number in it may be wrong: each is checked before
 * it leads anywhere. */
#include "db/db_image.h"

#include "base/mem.h"

#define INDEX_INTERIOR 0x02
#define TABLE_INTERIOR 0x05
#define INDEX_LEAF     0x0a
#define TABLE_LEAF     0x0d
#define FILE_HEADER    100

static uint32_t be(const unsigned char *p, int bytes)
{
    uint32_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

/* Bytes taken, 0 = it does not fit. */
static size_t varint(const unsigned char *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;

    for (size_t i = 0; i < MIN(n, 9u); i++) {
        if (i == 8) {
            *ret = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7f);
        if (!(p[i] & 0x80)) {
            *ret = v;
            return i + 1;
        }
    }
    return 0;
}

/* ---- records ---- */

static int64_t signed_be(const unsigned char *p, size_t n)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

/* Bytes of a value of that serial type; SIZE_MAX = there is no such type. */
static size_t serial_size(uint64_t type)
{
    static const size_t fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, SIZE_MAX, SIZE_MAX};

    return type < ARRAY_SIZE(fixed) ? fixed[type] : (size_t)(type - 12) / 2;
}

static struct column column_of(uint64_t type, const unsigned char *p, size_t n)
{
    struct column c = {.kind = COLUMN_OTHER, .text = (const char *)p, .len = n};

    if (type == 0)
        c.kind = COLUMN_NULL;
    else if (type == 8 || type == 9)
        c = (struct column){.kind = COLUMN_INT, .i = type == 9};
    else if (type <= 6)
        c = (struct column){.kind = COLUMN_INT, .i = signed_be(p, n)};
    else if (type >= 13 && type & 1)
        c.kind = COLUMN_TEXT;
    return c;
}

static bool parse_record(const unsigned char *p, size_t n, struct page_entry *e)
{
    uint64_t head, type = 0;
    size_t at = varint(p, n, &head), body = (size_t)head;

    if (!at || head > n)
        return false;
    for (e->n = 0; at < head; e->n++) {
        size_t step = varint(p + at, (size_t)head - at, &type);
        size_t size = step ? serial_size(type) : SIZE_MAX;

        if (size > n - body || e->n == RECORD_COLUMNS_MAX)
            return false;
        e->columns[e->n] = column_of(type, p + body, size);
        at += step;
        body += size;
    }
    return true;
}

/* ---- cells ---- */

struct page {
    const struct db_image *img;
    const unsigned char *p;
    size_t size;
    unsigned char kind;
    void *ctx;
    void (*fn)(void *ctx, const struct page_entry *e);
};

/* How much of a payload lies in the page itself. Source: file format, section 1.6. */
static size_t local_size(const struct page *pg, size_t payload)
{
    size_t u = pg->size;
    size_t max = pg->kind == TABLE_LEAF ? u - 35 : (u - 12) * 64 / 255 - 23;
    size_t min = (u - 12) * 32 / 255 - 23;
    size_t k = min + (payload - min) % (u - 4);

    if (payload <= max)
        return payload;
    return k <= max ? k : min;
}

/* Collects a payload that goes on in other pages. */
static bool collect(const struct page *pg, const unsigned char *local, size_t n_local,
                    size_t payload, struct str *out)
{
    uint32_t next = be(local + n_local, 4);

    str_add_mem(out, local, n_local);
    while (out->len < payload) {
        const unsigned char *p = db_image_page(pg->img, next);

        if (!p)
            return false;
        str_add_mem(out, p + 4, MIN(payload - out->len, pg->size - 4));
        next = be(p, 4);
    }
    return true;
}

static void give_payload(const struct page *pg, const unsigned char *p, size_t n, uint64_t payload,
                         struct page_entry *e)
{
    _cleanup_str_ struct str whole = STR_INIT;

    if (!payload || payload > (size_t)pg->img->n_pages * pg->size)
        return;
    size_t local = local_size(pg, (size_t)payload);

    if (local + (local < payload ? 4 : 0) > n)
        return;
    if (local < payload) {
        if (!collect(pg, p, local, (size_t)payload, &whole))
            return;
        p = (const unsigned char *)whole.s;
    }
    if (parse_record(p, (size_t)payload, e))
        pg->fn(pg->ctx, e);
}

static void give_cell(const struct page *pg, size_t at)
{
    struct page_entry e = {.index = pg->kind != TABLE_LEAF};
    uint64_t payload, rowid;

    if (pg->kind == INDEX_INTERIOR)
        at += 4;
    size_t step = at < pg->size ? varint(pg->p + at, pg->size - at, &payload) : 0;

    if (!step)
        return;
    at += step;
    if (pg->kind == TABLE_LEAF) {
        step = varint(pg->p + at, pg->size - at, &rowid);
        if (!step)
            return;
        at += step;
        e.rowid = (int64_t)rowid;
    }
    give_payload(pg, pg->p + at, pg->size - at, payload, &e);
}

bool db_image_entries(const struct db_image *img, uint32_t number, void *ctx,
                      void (*fn)(void *ctx, const struct page_entry *e))
{
    struct page pg = {.img = img, .size = img->page_size, .ctx = ctx, .fn = fn};
    size_t head = number == 1 ? FILE_HEADER : 0;

    pg.p = db_image_page(img, number);
    if (!pg.p)
        return false;
    pg.kind = pg.p[head];
    if (pg.kind == TABLE_INTERIOR)
        return true; /* numbers only */
    if (pg.kind != INDEX_INTERIOR && pg.kind != INDEX_LEAF && pg.kind != TABLE_LEAF)
        return false;
    size_t cells = be(pg.p + head + 3, 2);
    size_t at = head + (pg.kind == INDEX_INTERIOR ? 12 : 8);

    for (size_t i = 0; i < cells && at + 2 <= pg.size; i++, at += 2)
        give_cell(&pg, be(pg.p + at, 2));
    return at + 2 <= pg.size || cells == 0;
}

void db_image_free_pages(const struct db_image *img, bool *marks)
{
    const unsigned char *first = db_image_page(img, 1);
    uint32_t trunk = first ? be(first + 32, 4) : 0;

    for (uint32_t seen = 0; trunk && trunk <= img->n_pages && seen < img->n_pages; seen++) {
        const unsigned char *p = db_image_page(img, trunk);
        uint32_t n = p ? be(p + 4, 4) : 0;

        if (!p || n > img->page_size / 4 - 2 || marks[trunk - 1])
            return;
        marks[trunk - 1] = true;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t leaf = be(p + 8 + 4 * (size_t)i, 4);

            if (leaf && leaf <= img->n_pages)
                marks[leaf - 1] = true;
        }
        trunk = be(p, 4);
    }
}
