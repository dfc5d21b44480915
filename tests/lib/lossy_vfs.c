/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/lossy_vfs.h"

#include "base/io.h"
#include "base/str.h"
#include "base/vec.h"

#include <assert.h>
#include <sqlite3.h>

#define SECTOR 512

/* Not flushed yet: bytes at an offset, or (data NULL) a new size. */
struct change {
    int64_t at;
    char *data;
    size_t len;
};

struct lossy_disk {
    char *path;
    struct str flushed; /* content as of the last flush */
    struct VEC(struct change) changes;
};

struct lossy_file {
    sqlite3_file base;
    struct lossy_disk *disk;
    sqlite3_file *real; /* behind this struct */
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct VEC(struct lossy_disk *) disks;
    lossy_event event;
    void *ctx;
} lossy;

static struct lossy_disk *disk_find(const char *path)
{
    vec_foreach (d, &lossy.disks) {
        if (streq((*d)->path, path))
            return *d;
    }
    return NULL;
}

static struct lossy_disk *disk_of(const char *path)
{
    struct lossy_disk *d = disk_find(path);

    if (d)
        return d;
    d = xnew(struct lossy_disk);
    d->path = xstrdup(path);
    IGNORE_ERROR(io_read_file(path, 1u << 30, &d->flushed));
    vec_add(&lossy.disks, d);
    return d;
}

static bool is_main(const struct lossy_disk *d)
{
    size_t n = strlen(d->path);

    return n < 4 || !streq(d->path + n - 4, "-wal");
}

static void resize(struct str *s, size_t size)
{
    if (size > s->len) {
        size_t more = size - s->len;

        str_reserve(s, more);
        memset(s->s + s->len, 0, more);
    }
    s->len = size;
}

static void apply(struct str *image, const struct change *c, size_t len)
{
    if (!c->data) {
        resize(image, (size_t)c->at);
        return;
    }
    if (image->len < (size_t)c->at + len)
        resize(image, (size_t)c->at + len);
    memcpy(image->s + c->at, c->data, len);
}

static void forget_changes(struct lossy_disk *d)
{
    vec_foreach (c, &d->changes)
        free(c->data);
    d->changes.n = 0;
}

static struct lossy_file *file_of(sqlite3_file *f)
{
    return (struct lossy_file *)(void *)f;
}

static void happen(const struct lossy_file *f)
{
    if (lossy.event)
        lossy.event(lossy.ctx, is_main(f->disk));
}

/* ---- file methods ---- */

static int x_close(sqlite3_file *f)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xClose(real);
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xRead(real, p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct lossy_file *l = file_of(f);
    const struct change c = {.at = at, .data = xmemdup0(p, (size_t)n), .len = (size_t)n};

    happen(l);
    vec_add(&l->disk->changes, c);
    return l->real->pMethods->xWrite(l->real, p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct lossy_file *l = file_of(f);

    happen(l);
    vec_add(&l->disk->changes, (struct change){.at = size});
    return l->real->pMethods->xTruncate(l->real, size);
}

static int x_sync(sqlite3_file *f, int flags)
{
    struct lossy_file *l = file_of(f);

    happen(l);
    vec_foreach (c, &l->disk->changes)
        apply(&l->disk->flushed, c, c->len);
    forget_changes(l->disk);
    return l->real->pMethods->xSync(l->real, flags);
}

static int x_file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xFileSize(real, ret);
}

static int x_lock(sqlite3_file *f, int kind)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xLock(real, kind);
}

static int x_unlock(sqlite3_file *f, int kind)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xUnlock(real, kind);
}

static int x_check_lock(sqlite3_file *f, int *ret)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xCheckReservedLock(real, ret);
}

static int x_control(sqlite3_file *f, int op, void *p)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xFileControl(real, op, p);
}

static int x_sector_size(sqlite3_file *f)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xSectorSize(real);
}

static int x_characteristics(sqlite3_file *f)
{
    sqlite3_file *real = file_of(f)->real;

    return real->pMethods->xDeviceCharacteristics(real);
}

/* Version 1: neither shared memory nor mappings, so nothing gets past this file. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_file_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_check_lock,
    .xFileControl = x_control,
    .xSectorSize = x_sector_size,
    .xDeviceCharacteristics = x_characteristics,
};

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
    struct lossy_file *l = file_of(f);

    l->real = (sqlite3_file *)(void *)(l + 1);
    l->disk = disk_of(path ? path : "");
    int code = lossy.real->xOpen(lossy.real, path, l->real, flags, ret_flags);

    l->base.pMethods = l->real->pMethods ? &methods : NULL;
    return code;
}

static int x_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct lossy_disk *d = disk_find(path);

    if (d) {
        forget_changes(d);
        str_clear(&d->flushed);
    }
    return lossy.real->xDelete(lossy.real, path, sync_dir);
}

/* ---- control ---- */

void lossy_install(lossy_event event, void *ctx)
{
    lossy.real = sqlite3_vfs_find(NULL);
    assert(lossy.real != &lossy.vfs);
    lossy.vfs = *lossy.real;
    lossy.vfs.zName = "lossy";
    lossy.vfs.pNext = NULL;
    lossy.vfs.szOsFile = (int)sizeof(struct lossy_file) + lossy.real->szOsFile;
    lossy.vfs.xOpen = x_open;
    lossy.vfs.xDelete = x_delete;
    lossy.event = event;
    lossy.ctx = ctx;
    sqlite3_vfs_register(&lossy.vfs, 1);
}

void lossy_suspend(bool on)
{
    sqlite3_vfs_register(on ? lossy.real : &lossy.vfs, 1);
}

void lossy_remove(void)
{
    sqlite3_vfs_unregister(&lossy.vfs);
    sqlite3_vfs_register(lossy.real, 1);
    vec_foreach (d, &lossy.disks) {
        forget_changes(*d);
        vec_fini(&(*d)->changes);
        str_fini(&(*d)->flushed);
        free((*d)->path);
        free(*d);
    }
    vec_fini(&lossy.disks);
}

/* ---- the power goes ---- */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % below;
}

/* How much of a write arrived. */
static size_t arrived(const struct change *c, enum lossy_loss loss, uint64_t *seed)
{
    if (loss == LOSE_NONE)
        return c->len;
    switch (draw(seed, 4)) {
    case 0:
        return 0;
    case 1:
        return MIN(c->len, (size_t)draw(seed, c->len / SECTOR + 1) * SECTOR);
    default:
        return c->len;
    }
}

static void write_image(const struct lossy_disk *d, const char *to, enum lossy_loss loss,
                        uint64_t *seed)
{
    _cleanup_str_ struct str image = STR_INIT;

    str_add_mem(&image, str_cstr(&d->flushed), d->flushed.len);
    vec_foreach (c, &d->changes) {
        size_t len = loss == LOSE_ALL ? 0 : arrived(c, loss, seed);

        if (len || (!c->data && loss != LOSE_ALL))
            apply(&image, c, len);
    }
    struct error *e = io_write_file(to, str_cstr(&image), image.len, 0600);

    assert(!e);
}

void lossy_crash_image(const char *path, const char *copy, enum lossy_loss loss, uint64_t *seed)
{
    _cleanup_free_ char *wal = xasprintf("%s-wal", path);
    _cleanup_free_ char *copy_wal = xasprintf("%s-wal", copy);

    write_image(disk_of(path), copy, loss, seed);
    write_image(disk_of(wal), copy_wal, loss, seed);
}
