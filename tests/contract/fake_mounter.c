/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_mounter.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static char *escaped(const char *source)
{
    char *s = xstrdup(source);

    for (char *p = s; *p; p++)
        *p = *p == '/' ? '%' : *p;
    return s;
}

char *fake_mounter_held(const struct fake_mounter *f, const char *source)
{
    _cleanup_free_ char *name = escaped(source);

    return xasprintf("%s/held/%s", f->dir, name);
}

static char *disk_path(const struct fake_mounter *f, const char *device)
{
    _cleanup_free_ char *name = escaped(device);

    return xasprintf("%s/disk/%s", f->dir, name);
}

static void write_disk(const struct fake_mounter *f, const char *device, const char *text)
{
    _cleanup_free_ char *path = disk_path(f, device);

    IGNORE_ERROR(io_replace_file(path, text, strlen(text), 0600));
}

void fake_mounter_init(struct fake_mounter *f, const char *dir)
{
    static const char *const folders[] = {"mnt", "held", "disk"};

    *f = (struct fake_mounter){.dir = xstrdup(dir), .root = xasprintf("%s/mnt", dir)};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, folders[i]);
        IGNORE_ERROR(io_mkdir_p(path, 0700));
    }
    _cleanup_free_ char *disk = disk_path(f, FAKE_DEVICE);
    if (access(disk, F_OK) < 0)
        write_disk(f, FAKE_DEVICE, "");
}

void fake_mounter_fini(struct fake_mounter *f)
{
    free(f->dir);
    free(f->root);
}

void fake_mounter_device(struct fake_mounter *f, const char *fs, const char *uuid,
                         const char *label)
{
    _cleanup_free_ char *path = disk_path(f, FAKE_DEVICE);
    _cleanup_free_ char *text = fs ? xasprintf("%s %s %s", fs, uuid, label) : NULL;

    if (text)
        write_disk(f, FAKE_DEVICE, text);
    else
        unlink(path);
}

/* ---- the mounter ---- */

static struct error *check_server(const struct fake_mounter *f, const struct mount_order *o)
{
    while (__atomic_load_n(&f->deaf, __ATOMIC_SEQ_CST))
        usleep(1000);
    if (f->silent)
        return error_errno(ETIMEDOUT, "no answer within %d seconds", MOUNT_TIME_S);
    if (streq(o->fs, "cifs") && !streq(o->password, FAKE_PASSWORD))
        return error_text("mount error(13): Permission denied");
    if (!strstr(o->source, FAKE_SERVER))
        return error_text("mount.nfs: Failed to resolve server %s", o->source);
    return strstr(o->source, "disks") ? NULL
                                      : error_text("mount.nfs: mounting %s failed, reason given by "
                                                   "server: No such file or directory",
                                                   o->source);
}

static struct error *fake_mount(void *ctx, const struct mount_order *o)
{
    struct fake_mounter *f = ctx;
    _cleanup_free_ char *held = fake_mounter_held(f, o->source);
    _cleanup_free_ char *at = xasprintf("%s/%s", f->root, o->name);

    TRY(mount_check_order(o));
    if (streq(o->fs, "nfs") || streq(o->fs, "cifs"))
        TRY(check_server(f, o));
    f->mounts++;
    TRY(io_mkdir_p(held, 0700));
    return symlink(held, at) < 0 ? error_errno(errno, "cannot mount on %s", at) : NULL;
}

static struct error *fake_unmount(void *ctx, const char *name)
{
    const struct fake_mounter *f = ctx;
    _cleanup_free_ char *at = xasprintf("%s/%s", f->root, name);

    return io_unlink(at);
}

static struct error *fake_list(void *ctx, mount_entry_fn *fn, void *arg)
{
    const struct fake_mounter *f = ctx;
    _cleanup_closedir_ DIR *d = opendir(f->root);
    const struct dirent *entry;
    char to[PATH_MAX];

    while (d && (entry = readdir(d))) {
        ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof(to) - 1);

        if (n <= 0)
            continue;
        to[n] = 0;
        char *source = strrchr(to, '/') + 1;
        for (char *p = source; *p; p++)
            *p = *p == '%' ? '/' : *p;
        fn(arg, entry->d_name, source);
    }
    return NULL;
}

static bool is_mounted(struct fake_mounter *f, const char *device)
{
    _cleanup_closedir_ DIR *d = opendir(f->root);
    _cleanup_free_ char *held = fake_mounter_held(f, device);
    const struct dirent *entry;
    char to[PATH_MAX];

    while (d && (entry = readdir(d))) {
        ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof(to) - 1);

        if (n > 0 && (to[n] = 0, streq(to, held)))
            return true;
    }
    return false;
}

static struct error *fake_look(void *ctx, const char *device, struct device_look *ret)
{
    struct fake_mounter *f = ctx;
    _cleanup_free_ char *path = disk_path(f, device);
    _cleanup_str_ struct str text = STR_INIT;

    *ret = (struct device_look){.size = 1ll << 40, .in_use = is_mounted(f, device)};
    TRY(mount_check_device(device));
    TRY(io_read_file(path, 256, &text));
    (void)!sscanf(str_cstr(&text), "%31s %63s %63s", ret->fs, ret->uuid, ret->label);
    return NULL;
}

static struct error *fake_format(void *ctx, const char *fs, const char *device, const char *uuid)
{
    struct fake_mounter *f = ctx;
    _cleanup_free_ char *text = xasprintf("%s %s " MOUNT_LABEL, fs, uuid);
    _cleanup_free_ char *held = fake_mounter_held(f, device);

    if (is_mounted(f, device))
        return error_errno(EBUSY, "%s is in use", device);
    (void)!rmdir(held);
    write_disk(f, device, text);
    return NULL;
}

static struct error *fake_wipe(void *ctx, const char *device)
{
    write_disk(ctx, device, "");
    return NULL;
}

static struct error *fake_exports(void *ctx, const char *server, struct str *ret)
{
    const struct fake_mounter *f = ctx;

    if (f->silent || !streq(server, FAKE_SERVER))
        return error_text("clnt_create: RPC: Unable to receive");
    str_add(ret, FAKE_EXPORT "\n/srv/other\n");
    return NULL;
}

const struct mounter mounter_fake = {
    .mount = fake_mount,
    .unmount = fake_unmount,
    .list = fake_list,
    .look = fake_look,
    .format = fake_format,
    .wipe = fake_wipe,
    .exports = fake_exports,
};
