/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulation/disk.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "simulation/sched.h"
#include "simulation/threads.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>

#define SECTOR 512

/* Not flushed yet. `before` is what lay there, `after` what was written. */
struct change {
    int64_t at;
    size_t old_size;      /* of the file */
    char *before, *after; /* after NULL: the file was cut to `at` */
    size_t n_before, n_after;
};

struct disk_file {
    char *path;
    char *data;
    size_t size, room;
    bool there;
    struct VEC(struct change) changes;
};

struct handle {
    sqlite3_file base;
    struct disk_file *file;
};

static struct {
    struct chance *chance;
    sqlite3_vfs vfs;
    struct VEC(struct disk_file *) files;
    enum disk_fault fault;
    unsigned nth, times;
} disk;

bool disk_lies;

static struct disk_file *file_find(const char *path)
{
    vec_foreach (f, &disk.files) {
        if (streq((*f)->path, path))
            return *f;
    }
    return NULL;
}

static struct disk_file *file_get(const char *path)
{
    struct disk_file *f = file_find(path);

    if (f)
        return f;
    f = xnew(struct disk_file);
    f->path = xstrdup(path);
    vec_add(&disk.files, f);
    return f;
}

static void set_size(struct disk_file *f, size_t size)
{
    if (size > f->room) {
        f->room = size * 2;
        f->data = xrealloc(f->data, f->room, 1);
    }
    if (size > f->size)
        memset(f->data + f->size, 0, size - f->size);
    f->size = size;
}

static void put(struct disk_file *f, const char *data, size_t n, int64_t at)
{
    if (f->size < (size_t)at + n)
        set_size(f, (size_t)at + n);
    memcpy(f->data + at, data, n);
}

static void forget(struct disk_file *f)
{
    vec_foreach (c, &f->changes) {
        free(c->before);
        free(c->after);
    }
    f->changes.n = 0;
}

static struct disk_file *file_of(sqlite3_file *h)
{
    return ((struct handle *)(void *)h)->file;
}

static void note(struct disk_file *f, const char *data, size_t n, int64_t at)
{
    size_t from = MIN(f->size, (size_t)at);
    size_t old = data ? MIN(f->size - from, n) : f->size - from;
    struct change c = {
        .at = at,
        .old_size = f->size,
        .before = xmemdup0(old ? f->data + from : "", old),
        .after = data ? xmemdup0(data, n) : NULL,
        .n_before = old,
        .n_after = n,
    };

    vec_add(&f->changes, c);
}

/* SQLITE_OK or what this operation fails with. */
static int operation(bool flush)
{
    sched_point();
    if (disk.fault == DISK_FINE || (disk.fault == DISK_FLUSH_EIO) != flush)
        return SQLITE_OK;
    if (disk.nth > 0) {
        disk.nth--;
        return SQLITE_OK;
    }
    if (disk.times == 0)
        return SQLITE_OK;
    disk.times--;
    return disk.fault == DISK_FULL ? SQLITE_FULL : flush ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
}

/* ---- file methods ---- */

static int x_close(sqlite3_file *h)
{
    return SQLITE_OK;
}

static int x_read(sqlite3_file *h, void *p, int n, sqlite3_int64 at)
{
    const struct disk_file *f = file_of(h);
    size_t have = (size_t)at < f->size ? MIN(f->size - (size_t)at, (size_t)n) : 0;

    if (have)
        memcpy(p, f->data + at, have);
    memset((char *)p + have, 0, (size_t)n - have);
    return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int x_write(sqlite3_file *h, const void *p, int n, sqlite3_int64 at)
{
    struct disk_file *f = file_of(h);
    int code = operation(false);

    if (code != SQLITE_OK)
        return code;
    trace_add(p, (size_t)n);
    note(f, p, (size_t)n, at);
    put(f, p, (size_t)n, at);
    return SQLITE_OK;
}

static int x_truncate(sqlite3_file *h, sqlite3_int64 size)
{
    struct disk_file *f = file_of(h);
    int code = operation(false);

    if (code != SQLITE_OK)
        return code;
    note(f, NULL, 0, size);
    set_size(f, (size_t)size);
    return SQLITE_OK;
}

static int x_sync(sqlite3_file *h, int flags)
{
    struct disk_file *f = file_of(h);
    size_t n = f->changes.n;
    int code = operation(true);

    if (code != SQLITE_OK)
        return code;
    sched_sleep(chance_between(disk.chance, 50, chance_in(disk.chance, 1, 20) ? 30000 : 600));
    if (disk_lies)
        return SQLITE_OK;
    /* One writer at a time: nothing was written meanwhile. */
    assert(f->changes.n == n);
    forget(f);
    return SQLITE_OK;
}

static int x_file_size(sqlite3_file *h, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)file_of(h)->size;
    return SQLITE_OK;
}

static int x_lock(sqlite3_file *h, int kind)
{
    return SQLITE_OK;
}

static int x_check_lock(sqlite3_file *h, int *ret)
{
    *ret = 0;
    return SQLITE_OK;
}

static int x_control(sqlite3_file *h, int op, void *p)
{
    return SQLITE_NOTFOUND;
}

static int x_sector_size(sqlite3_file *h)
{
    return SECTOR;
}

static int x_characteristics(sqlite3_file *h)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: no shared memory, no mappings. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_file_size,
    .xLock = x_lock,
    .xUnlock = x_lock,
    .xCheckReservedLock = x_check_lock,
    .xFileControl = x_control,
    .xSectorSize = x_sector_size,
    .xDeviceCharacteristics = x_characteristics,
};

/* ---- the VFS ---- */

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *h, int flags, int *ret_flags)
{
    struct handle *handle = (struct handle *)(void *)h;

    handle->file = file_get(path ? path : "temporary");
    handle->file->there = true;
    handle->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct disk_file *f = file_find(path);

    if (!f || !f->there)
        return SQLITE_IOERR_DELETE_NOENT;
    forget(f);
    f->size = 0;
    f->there = false;
    return SQLITE_OK;
}

static int x_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    const struct disk_file *f = file_find(path);

    *ret = f && f->there && (flags != SQLITE_ACCESS_EXISTS || f->size > 0);
    return SQLITE_OK;
}

static int x_full_path(sqlite3_vfs *vfs, const char *path, int n, char *ret)
{
    snprintf(ret, (size_t)n, "%s", path);
    return SQLITE_OK;
}

static int x_randomness(sqlite3_vfs *vfs, int n, char *ret)
{
    for (int i = 0; i < n; i++)
        ret[i] = (char)chance_next(disk.chance);
    return n;
}

static int x_sleep(sqlite3_vfs *vfs, int us)
{
    return us;
}

static int x_current_time(sqlite3_vfs *vfs, double *ret)
{
    *ret = 2440587.5 + (double)(SIM_EPOCH_US + sched_now_us()) / 86400e6;
    return SQLITE_OK;
}

void disk_install(struct chance *chance)
{
    disk.chance = chance;
    disk.vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct handle),
        .mxPathname = 1024,
        .zName = "simulated",
        .xOpen = x_open,
        .xDelete = x_delete,
        .xAccess = x_access,
        .xFullPathname = x_full_path,
        .xRandomness = x_randomness,
        .xSleep = x_sleep,
        .xCurrentTime = x_current_time,
    };
    sqlite3_vfs_register(&disk.vfs, 1);
}

void disk_fail(enum disk_fault fault, unsigned nth, unsigned times)
{
    disk.fault = fault;
    disk.nth = nth;
    disk.times = times;
}

/* ---- the power goes ---- */

/* Back to what lay there at the last flush. */
static void take_back(struct disk_file *f)
{
    for (size_t i = f->changes.n; i-- > 0;) {
        const struct change *c = &f->changes.v[i];

        set_size(f, MAX(f->size, c->old_size));
        memcpy(f->data + MIN((size_t)c->at, c->old_size), c->before, c->n_before);
        set_size(f, c->old_size);
    }
}

static size_t arrived(const struct change *c)
{
    switch (chance_below(disk.chance, 4)) {
    case 0:
        return 0;
    case 1:
        return MIN(c->n_after, (size_t)chance_below(disk.chance, c->n_after / SECTOR + 1) * SECTOR);
    default:
        return c->n_after;
    }
}

static void lose(struct disk_file *f, unsigned how)
{
    take_back(f);
    vec_foreach (c, &f->changes) {
        size_t n = how == 0 ? 0 : how == 1 ? c->n_after : arrived(c);

        if (c->after && n)
            put(f, c->after, n, c->at);
        else if (!c->after && how)
            set_size(f, (size_t)c->at);
    }
    forget(f);
}

void disk_power_cut(void)
{
    unsigned how = (unsigned)chance_below(disk.chance, 5); /* 0: nothing arrived, 1: all did */

    vec_foreach (f, &disk.files)
        lose(*f, how);
}
