/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image headers, as far as needed to say whether an image is whole. */

#include "storage/image_header.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define QCOW2_MAGIC      0x514649fbu
#define QCOW2_MIN_HEADER 72
#define VHD_FOOTER       512
#define SECTOR           512

static uint64_t be64_at(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

static uint32_t be32_at(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

/* The tables a reader needs first must lie inside the file: a truncated image fails here. */
static bool qcow2_is_whole(const unsigned char *h, uint64_t file_size)
{
    uint32_t version = be32_at(h + 4);
    uint32_t cluster_bits = be32_at(h + 20);
    uint64_t l1_entries = be32_at(h + 36);
    uint64_t l1_at = be64_at(h + 40);
    uint64_t refcounts_at = be64_at(h + 48);
    uint64_t refcount_clusters = be32_at(h + 56);

    if (version < 2 || version > 3 || cluster_bits < 9 || cluster_bits > 21)
        return false;
    uint64_t refcount_bytes = refcount_clusters << cluster_bits;
    return l1_at <= file_size && l1_entries * 8 <= file_size - l1_at && refcounts_at <= file_size &&
           refcount_bytes <= file_size - refcounts_at;
}

static int64_t qcow2_size(int fd, uint64_t file_size)
{
    unsigned char h[QCOW2_MIN_HEADER];

    if (TEMP_FAILURE_RETRY(pread(fd, h, sizeof(h), 0)) != sizeof(h) || be32_at(h) != QCOW2_MAGIC)
        return -1;
    return qcow2_is_whole(h, file_size) ? (int64_t)be64_at(h + 24) : -1;
}

static int64_t vhd_size(int fd, uint64_t file_size)
{
    unsigned char f[VHD_FOOTER];

    if (file_size < VHD_FOOTER ||
        TEMP_FAILURE_RETRY(pread(fd, f, sizeof(f), (off_t)(file_size - VHD_FOOTER))) != sizeof(f) ||
        memcmp(f, "conectix", 8) != 0)
        return -1;
    return (int64_t)be64_at(f + 48);
}

void image_file_stat(int dir_fd, const char *name, enum image_format format, int64_t size,
                     struct image_stat *ret)
{
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    int64_t found = -1;

    *ret = (struct image_stat){0};
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    ret->physical = (int64_t)st.st_blocks * SECTOR;
    if (format == IMAGE_QCOW2)
        found = qcow2_size(fd, (uint64_t)st.st_size);
    else if (format == IMAGE_VHD)
        found = vhd_size(fd, (uint64_t)st.st_size);
    else
        found = st.st_size;
    if (found < 0)
        return;
    ret->size = found;
    ret->sound = found == size;
}
