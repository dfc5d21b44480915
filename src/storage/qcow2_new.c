/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An empty qcow2 image: header, refcount table, one refcount block, L1 table, each beginning a
 * cluster. What is not written is a hole and reads as zero, which is what it must be.
 */

#include "storage/qcow2_new.h"

#include "base/mem.h"
#include "storage/tune.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAGIC             0x514649fbu
#define EXTENDED_L2       (1ull << 4) /* incompatible feature */
#define EXT_BACKING       0xe2792acau /* header extension: format of the backing file */
#define CLUSTER           (1ll << QCOW2_CLUSTER_BITS)
#define L2_ENTRY          16 /* bytes, extended */
#define NAME_MAX_BYTES    1023
#define REFCOUNT_TABLE_AT (1 * CLUSTER)
#define REFCOUNT_BLOCK_AT (2 * CLUSTER)
#define L1_AT             (3 * CLUSTER)

struct header {
    uint32_t magic;
    uint32_t version;
    uint64_t backing_offset;
    uint32_t backing_length;
    uint32_t cluster_bits;
    uint64_t size;
    uint32_t encryption;
    uint32_t l1_entries;
    uint64_t l1_offset;
    uint64_t refcount_table_offset;
    uint32_t refcount_table_clusters;
    uint32_t n_snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible;
    uint64_t compatible;
    uint64_t autoclear;
    uint32_t refcount_order;
    uint32_t header_length;
    uint8_t compression;
    uint8_t padding[7];
} __attribute__((packed));

struct extension {
    uint32_t type;
    uint32_t length;
} __attribute__((packed));

static int64_t l1_entries(int64_t size)
{
    int64_t bytes_per_entry = CLUSTER / L2_ENTRY * CLUSTER;

    return (size + bytes_per_entry - 1) / bytes_per_entry;
}

static int64_t clusters_used(int64_t size)
{
    return L1_AT / CLUSTER + (l1_entries(size) * 8 + CLUSTER - 1) / CLUSTER;
}

/* The header with its extensions and the backing file's name. */
static size_t fill_header(unsigned char *buf, int64_t size, const char *backing,
                          const char *backing_format)
{
    size_t at = sizeof(struct header);
    struct header h = {
        .magic = htobe32(MAGIC),
        .version = htobe32(3),
        .cluster_bits = htobe32(QCOW2_CLUSTER_BITS),
        .size = htobe64((uint64_t)size),
        .l1_entries = htobe32((uint32_t)l1_entries(size)),
        .l1_offset = htobe64(L1_AT),
        .refcount_table_offset = htobe64(REFCOUNT_TABLE_AT),
        .refcount_table_clusters = htobe32(1),
        .incompatible = htobe64(EXTENDED_L2),
        .refcount_order = htobe32(4), /* 16 bits */
        .header_length = htobe32(sizeof(struct header)),
    };

    if (backing) {
        const struct extension e = {.type = htobe32(EXT_BACKING),
                                    .length = htobe32((uint32_t)strlen(backing_format))};
        memcpy(buf + at, &e, sizeof(e));
        memcpy(buf + at + sizeof(e), backing_format, strlen(backing_format));
        at += sizeof(e) + (strlen(backing_format) + 7) / 8 * 8;
        at += sizeof(struct extension); /* end: all zero */
        h.backing_offset = htobe64(at);
        h.backing_length = htobe32((uint32_t)strlen(backing));
        memcpy(buf + at, backing, strlen(backing));
        at += strlen(backing);
    }
    memcpy(buf, &h, sizeof(h));
    return at;
}

static struct error *put(int fd, const void *p, size_t n, int64_t at)
{
    ssize_t w = TEMP_FAILURE_RETRY(pwrite(fd, p, n, at));

    if (w != (ssize_t)n)
        return error_errno(w < 0 ? errno : ENOSPC, "cannot write an image");
    return NULL;
}

static struct error *fill(int fd, int64_t size, const char *backing, const char *backing_format)
{
    unsigned char head[4096] = {0};
    uint16_t counts[64];
    const uint64_t block = htobe64(REFCOUNT_BLOCK_AT);
    size_t n = (size_t)clusters_used(size);

    assert(n <= ARRAY_SIZE(counts));
    for (size_t i = 0; i < n; i++)
        counts[i] = htobe16(1);
    size_t len = fill_header(head, size, backing, backing_format);
    if (ftruncate(fd, clusters_used(size) * CLUSTER) < 0)
        return error_errno(errno, "cannot write an image");
    TRY(put(fd, head, len, 0));
    TRY(put(fd, &block, sizeof(block), REFCOUNT_TABLE_AT));
    TRY(put(fd, counts, n * sizeof(counts[0]), REFCOUNT_BLOCK_AT));
    if (fsync(fd) < 0)
        return error_errno(errno, "cannot flush an image");
    return NULL;
}

struct error *qcow2_create(int dir_fd, const char *name, int64_t size, const char *backing,
                           const char *backing_format)
{
    assert(size > 0 && size <= VDI_SIZE_MAX);
    assert(!backing || strlen(backing) <= NAME_MAX_BYTES);
    _cleanup_close_ int fd =
        openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return error_errno(errno, "cannot create %s", name);
    struct error *e = fill(fd, size, backing, backing_format);
    if (e) {
        unlinkat(dir_fd, name, 0);
        return error_prepend(e, "%s", name);
    }
    return NULL;
}

bool qcow2_is_untouched(int dir_fd, const char *name, int64_t size)
{
    _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t n = (size_t)l1_entries(size) * 8;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != clusters_used(size) * CLUSTER)
        return false;
    _cleanup_free_ unsigned char *l1 = xmalloc(n);

    if (TEMP_FAILURE_RETRY(pread(fd, l1, n, L1_AT)) != (ssize_t)n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (l1[i])
            return false;
    return true;
}
