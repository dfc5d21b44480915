/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the two files of a database at one moment, and what of the log counts. */
#include "db/db_image.h"

#include "base/io.h"
#include "base/mem.h"
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#define FILE_MAX          (8ull << 30)
#define READ_TRIES        20
#define WAL_MAGIC         0x377f0682u /* the lowest bit: checksums of big-endian words */
#define WAL_HEADER        32
#define FRAME_HEADER      24
#define DEFAULT_PAGE_SIZE 4096

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_page_size(uint32_t n)
{
    return n >= 512 && n <= 65536 && !(n & (n - 1));
}

/* ---- reading both at one moment ---- */

static struct error *read_or_empty(const char *path, struct str *ret, bool *ret_there)
{
    str_clear(ret);
    struct error *e = io_read_file(path, FILE_MAX, ret);

    *ret_there = !e;
    if (!e || e->errnum != ENOENT)
        return e;
    error_free(e);
    return NULL;
}

static void read_head(const char *path, unsigned char head[WAL_HEADER])
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    memset(head, 0, WAL_HEADER);
    if (fd >= 0 && TEMP_FAILURE_RETRY(pread(fd, head, WAL_HEADER, 0)) < 0)
        memset(head, 0, WAL_HEADER);
}

/*
 * The file is read before the log: whatever a checkpoint moved into the file up to then is in the
 * log that is read afterwards, unless the log was begun anew between the two, which its header
 * tells. What is appended while the log is read ends in an incomplete commit and does not count.
 */
static struct error *read_both(const char *path, const char *wal_path, struct db_image *img)
{
    unsigned char before[WAL_HEADER], after[WAL_HEADER];
    bool file_there, wal_there;

    for (int i = 0; i < READ_TRIES; i++) {
        read_head(wal_path, before);
        TRY(read_or_empty(path, &img->file, &file_there));
        TRY(read_or_empty(wal_path, &img->wal, &wal_there));
        read_head(wal_path, after);
        if (!file_there && !wal_there)
            return error_errno(ENOENT, "cannot open %s", path);
        if (!memcmp(before, after, WAL_HEADER))
            return NULL;
    }
    return error_text("%s changes too quickly to be read", path);
}

/* ---- the log ---- */

struct checksum {
    uint32_t a, b;
};

static struct checksum sum_words(struct checksum s, bool big, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint32_t x, y;

        if (big) {
            x = be32(p + i);
            y = be32(p + i + 4);
        } else {
            x = __builtin_bswap32(be32(p + i));
            y = __builtin_bswap32(be32(p + i + 4));
        }
        s.a += x + s.b;
        s.b += y + s.a;
    }
    return s;
}

struct wal_head {
    bool sound;
    bool big;
    struct checksum sum; /* as stored */
    unsigned char salts[8];
};

/* Without a header two frames that agree say which round of the log this is. */
static void find_salts(const struct db_image *img, unsigned char salts[8])
{
    const unsigned char *p = (const unsigned char *)img->wal.s + WAL_HEADER + 8;
    size_t step = FRAME_HEADER + img->page_size;
    size_t n = (img->wal.len - WAL_HEADER) / step;

    for (size_t i = 0; i + 1 < n; i++) {
        if (memcmp(p + i * step, p + (i + 1) * step, 8) != 0)
            continue;
        memcpy(salts, p + i * step, 8);
        return;
    }
}

static struct wal_head parse_head(struct db_image *img)
{
    const unsigned char *p = (const unsigned char *)img->wal.s;
    struct wal_head h = {.big = be32(p) == (WAL_MAGIC | 1), .sum = {be32(p + 24), be32(p + 28)}};
    struct checksum s = sum_words((struct checksum){0, 0}, h.big, p, 24);

    h.sound = (be32(p) & ~1u) == WAL_MAGIC && s.a == h.sum.a && s.b == h.sum.b &&
              is_page_size(be32(p + 8));
    memcpy(h.salts, p + 16, 8);
    if (h.sound)
        img->page_size = be32(p + 8);
    else
        find_salts(img, h.salts);
    return h;
}

static void parse_frames(struct db_image *img, const struct wal_head *h)
{
    const unsigned char *p = (const unsigned char *)img->wal.s;
    size_t step = FRAME_HEADER + img->page_size;
    struct checksum stored = h->sum;

    for (size_t at = WAL_HEADER; at + step <= img->wal.len; at += step) {
        const unsigned char *f = p + at;
        struct checksum s = sum_words(stored, h->big, f, 8);

        s = sum_words(s, h->big, f + FRAME_HEADER, img->page_size);
        stored = (struct checksum){be32(f + 16), be32(f + 20)};
        struct wal_frame frame = {
            .page = be32(f),
            .ours = !memcmp(f + 8, h->salts, 8),
            .commits = be32(f + 4) != 0,
            .data = f + FRAME_HEADER,
        };

        frame.sound = frame.ours && frame.page && s.a == stored.a && s.b == stored.b;
        vec_add(&img->frames, frame);
    }
}

/* Frames of a commit that came after the first broken one. */
static bool goes_on_behind(const struct db_image *img, size_t broken)
{
    size_t end = broken;

    while (end < img->frames.n && !(img->frames.v[end].ours && img->frames.v[end].commits))
        end++;
    for (size_t i = end + 1; i < img->frames.n; i++)
        if (img->frames.v[i].sound)
            return true;
    return false;
}

/* Frames up to the last commit that is there at all. */
static size_t n_committed(const struct db_image *img)
{
    size_t n = 0;

    for (size_t i = 0; i < img->frames.n; i++)
        if (img->frames.v[i].sound && img->frames.v[i].commits)
            n = i + 1;
    return n;
}

static const unsigned char *file_page(const struct db_image *img, uint32_t number)
{
    size_t end = (size_t)number * img->page_size;

    return end <= img->file.len ? (const unsigned char *)img->file.s + end - img->page_size : NULL;
}

static void choose_pages(struct db_image *img, size_t n_frames)
{
    img->n_pages = (uint32_t)(img->file.len / img->page_size);
    for (size_t i = 0; i < n_frames; i++)
        if (img->frames.v[i].sound && img->frames.v[i].page < UINT32_MAX / 2)
            img->n_pages = MAX(img->n_pages, img->frames.v[i].page);
    img->newest = xnew_array(const unsigned char *, (size_t)img->n_pages + 1);
    for (size_t i = 0; i < n_frames; i++)
        if (img->frames.v[i].sound && img->frames.v[i].page <= img->n_pages)
            img->newest[img->frames.v[i].page - 1] = img->frames.v[i].data;
}

/* Is all that the log holds in the file already? Then its loss costs nothing. */
static bool is_checkpointed(const struct db_image *img)
{
    for (uint32_t i = 1; i <= img->n_pages; i++) {
        const unsigned char *in_file = file_page(img, i);

        if (img->newest[i - 1] &&
            (!in_file || memcmp(in_file, img->newest[i - 1], img->page_size) != 0))
            return false;
    }
    return true;
}

static void judge_log(struct db_image *img)
{
    size_t broken = 0, used = 0; /* frames SQLite would use */

    if (img->wal.len < WAL_HEADER) {
        choose_pages(img, 0);
        return;
    }
    const struct wal_head h = parse_head(img);

    parse_frames(img, &h);
    while (broken < img->frames.n && img->frames.v[broken].sound)
        broken++;
    for (size_t i = 0; h.sound && i < broken; i++)
        if (img->frames.v[i].commits)
            used = i + 1;
    if (!h.sound) {
        choose_pages(img, n_committed(img));
        if (!is_checkpointed(img))
            img->lost = xstrdup("the header of its log is damaged");
    } else if (goes_on_behind(img, broken)) {
        choose_pages(img, n_committed(img));
        img->lost = xasprintf("page %zu of %zu in its log is damaged", broken + 1, img->frames.n);
    } else {
        choose_pages(img, used);
    }
}

/* ---- the whole ---- */

static uint32_t page_size_of(const struct str *file)
{
    const unsigned char *p = (const unsigned char *)file->s;
    uint32_t n = file->len >= 100 ? (uint32_t)p[16] << 8 | p[17] : 0;

    n = n == 1 ? 65536 : n;
    return is_page_size(n) ? n : DEFAULT_PAGE_SIZE;
}

struct error *db_image_read(const char *path, struct db_image *ret)
{
    _cleanup_db_image_ struct db_image img = {0};
    _cleanup_free_ char *wal_path = xasprintf("%s-wal", path);

    TRY(read_both(path, wal_path, &img));
    img.page_size = page_size_of(&img.file);
    judge_log(&img);
    *ret = img;
    img = (struct db_image){0};
    return NULL;
}

void db_image_fini(struct db_image *img)
{
    str_fini(&img->file);
    str_fini(&img->wal);
    vec_fini(&img->frames);
    free(img->lost);
    free(img->newest);
    *img = (struct db_image){0};
}

const unsigned char *db_image_page(const struct db_image *img, uint32_t number)
{
    if (!number || number > img->n_pages)
        return NULL;
    return img->newest[number - 1] ? img->newest[number - 1] : file_page(img, number);
}

struct error *db_image_write(const struct db_image *img, const char *path)
{
    _cleanup_free_ char *wal_path = xasprintf("%s-wal", path);

    TRY(io_write_file(path, str_cstr(&img->file), img->file.len, 0600));
    if (!img->wal.len)
        return io_unlink(wal_path);
    return io_write_file(wal_path, str_cstr(&img->wal), img->wal.len, 0600);
}

/* Named by content: a program that is started again and again keeps one copy. */
struct error *db_keep_copy(const char *path, char **ret_copy)
{
    _cleanup_db_image_ struct db_image img = {0};
    struct stat st;

    TRY(db_image_read(path, &img));
    uLong sum = crc32_z(0, (const Bytef *)str_cstr(&img.file), img.file.len);

    sum = crc32_z(sum, (const Bytef *)str_cstr(&img.wal), img.wal.len);
    _cleanup_free_ char *copy = xasprintf("%s.damaged-%08lx", path, sum);

    if (stat(copy, &st) < 0)
        TRY(db_image_write(&img, copy));
    *ret_copy = TAKE_PTR(copy);
    return NULL;
}
