/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/tar.h"

#include <assert.h>
#include <inttypes.h>

/* Offsets and lengths within a head. */
#define NAME_LEN   100
#define MODE       100
#define UID        108
#define GID        116
#define SIZE       124
#define SIZE_LEN   12
#define MTIME      136
#define SUM        148
#define SUM_LEN    8
#define TYPE       156
#define MAGIC      257
#define PREFIX     345
#define PREFIX_LEN 155

#define SIZE_LIMIT (INT64_C(1) << 33)

static const char zeroes[2 * TAR_BLOCK];

/* The sum of all bytes with the sum itself as spaces. */
static unsigned sum_of(const unsigned char *block)
{
    unsigned sum = 0;

    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_LEN ? ' ' : block[i];
    return sum;
}

void tar_add_head(struct str *out, const char *name, int64_t size, int64_t mtime)
{
    unsigned char b[TAR_BLOCK + 1] = {0};

    assert(strlen(name) <= NAME_LEN && size >= 0 && size < SIZE_LIMIT);
    memcpy(b, name, strlen(name));
    memcpy(b + MODE, "0000644", 7);
    memcpy(b + UID, "0000000", 7);
    memcpy(b + GID, "0000000", 7);
    snprintf((char *)b + SIZE, SIZE_LEN, "%011" PRIo64, size);
    snprintf((char *)b + MTIME, SIZE_LEN, "%011" PRIo64, MAX(mtime, INT64_C(0)) % SIZE_LIMIT);
    b[TYPE] = '0';
    memcpy(b + MAGIC, "ustar\00000", 8);
    snprintf((char *)b + SUM, SUM_LEN, "%06o", sum_of(b));
    b[SUM + SUM_LEN - 1] = ' ';
    str_add_mem(out, b, TAR_BLOCK);
}

void tar_add_padding(struct str *out, int64_t size)
{
    str_add_mem(out, zeroes, tar_padding(size));
}

void tar_add_end(struct str *out)
{
    str_add_mem(out, zeroes, sizeof(zeroes));
}

void tar_add_file(struct str *out, const char *name, const void *p, size_t n, int64_t mtime)
{
    tar_add_head(out, name, (int64_t)n, mtime);
    str_add_mem(out, p, n);
    tar_add_padding(out, (int64_t)n);
}

/* Octal digits between spaces, up to a space or NUL. */
static bool read_octal(const unsigned char *p, int n, int64_t *ret)
{
    int64_t v = 0;
    int i = 0;

    while (i < n && p[i] == ' ')
        i++;
    int first = i;

    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v * 8 + (p[i] - '0');
    if (i == first || (i < n && p[i] != ' ' && p[i]))
        return false;
    *ret = v;
    return true;
}

static void read_name(const unsigned char *b, char *ret)
{
    int prefix = memcmp(b + MAGIC, "ustar\0", 6) == 0
                     ? (int)strnlen((const char *)b + PREFIX, PREFIX_LEN)
                     : 0;
    int name = (int)strnlen((const char *)b, NAME_LEN);

    snprintf(ret, TAR_NAME_MAX + 2, "%.*s%s%.*s", prefix, b + PREFIX, prefix ? "/" : "", name, b);
}

struct error *tar_read_head(const unsigned char block[TAR_BLOCK], struct tar_member *ret,
                            bool *ret_end)
{
    int64_t sum, size;

    if (memcmp(block, zeroes, TAR_BLOCK) == 0) {
        *ret_end = true;
        return NULL;
    }
    if (!read_octal(block + SUM, SUM_LEN, &sum) || sum != sum_of(block))
        return error_text("this is no tar archive");
    if (!read_octal(block + SIZE, SIZE_LEN, &size) || size >= SIZE_LIMIT)
        return error_text("a tar member without a size that can be read");
    *ret = (struct tar_member){.size = size, .type = block[TYPE] ? (char)block[TYPE] : '0'};
    read_name(block, ret->name);
    *ret_end = false;
    return NULL;
}
