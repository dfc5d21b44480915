/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking for places where an SR could be, or is: on devices, servers, shares, in a directory. */

#include "base/io.h"
#include "storage/sr_internal.h"
#include "storage/sr_mount.h"
#include "value/value.h"

#include <errno.h>
#include <sys/statvfs.h>

#define DEVICES_MAX 512
#define SRS_MAX     1000 /* told of one share */

void sr_places_found_fini(struct sr_places_found *f)
{
    vec_foreach (p, &f->v) {
        free(p->key);
        free(p->value);
        free(p->what);
    }
    vec_fini(&f->v);
}

/* ---- devices ---- */

struct probing {
    struct storage *storage;
    const struct sr_type *type;
    struct sr_places_found *found;
};

static void add_device(struct probing *p, const char *device, const struct device_look *l)
{
    struct sr_place_found f = {.key = xstrdup("device"), .value = xstrdup(device), .size = l->size};
    bool ours = streq(l->label, MOUNT_LABEL) && streq(l->fs, p->type->fs) && uuid_is_valid(l->uuid);

    f.complete = ours || !*l->fs;
    if (ours)
        snprintf(f.sr.s, sizeof(f.sr.s), "%.36s", l->uuid);
    f.what = ours        ? xasprintf("SR %s", l->uuid)
             : !*l->fs   ? xstrdup("empty")
             : *l->label ? xasprintf("holds %s \"%s\"; force=true erases it", l->fs, l->label)
                         : xasprintf("holds %s; force=true erases it", l->fs);
    vec_add(&p->found->v, f);
}

/* The name that stays the same wherever the disk is plugged in; without one the kernel's. */
static char *stable_name(const char *kernel_name)
{
    _cleanup_closedir_ DIR *d = opendir("/dev/disk/by-id");
    _cleanup_free_ char *device = xasprintf("/dev/%s", kernel_name);
    _cleanup_free_ char *best = NULL;
    const struct dirent *entry;

    while (d && (entry = readdir(d))) {
        _cleanup_free_ char *link = xasprintf("/dev/disk/by-id/%s", entry->d_name);
        _cleanup_free_ char *real = realpath(link, NULL);

        if (!real || !streq(real, device) || (best && strcmp(link, best) >= 0))
            continue;
        free(best);
        best = TAKE_PTR(link);
    }
    return best ? TAKE_PTR(best) : TAKE_PTR(device);
}

static bool is_disk(const char *name)
{
    _cleanup_free_ char *path = xasprintf("/sys/class/block/%s/size", name);
    _cleanup_str_ struct str size = STR_INIT;

    if (*name == '.' || str_starts(name, "ram") || str_starts(name, "zram") ||
        str_starts(name, "nbd") || str_starts(name, "sr") || str_starts(name, "fd"))
        return false;
    IGNORE_ERROR(io_read_file(path, 64, &size));
    return strtoll(str_cstr(&size), NULL, 10) > 0;
}

/* Those that something has are no places. */
static struct error *probe_all_devices(struct probing *p)
{
    const struct mounter *by = p->storage->config.mounter;
    _cleanup_closedir_ DIR *d = opendir("/sys/class/block");
    const struct dirent *entry;

    while (d && (entry = readdir(d)) && p->found->v.n < DEVICES_MAX) {
        struct device_look l = {0};

        if (!is_disk(entry->d_name))
            continue;
        _cleanup_free_ char *device = stable_name(entry->d_name);
        struct error *e = by->look(p->storage->config.mounter_ctx, device, &l);
        if (!e && !l.in_use)
            add_device(p, device, &l);
        error_free(e);
    }
    return NULL;
}

static struct error *probe_device(struct probing *p, const struct sr_mount *m)
{
    struct device_look l = {0};

    if (!m->source)
        return probe_all_devices(p);
    struct error *e =
        p->storage->config.mounter->look(p->storage->config.mounter_ctx, m->source, &l);
    if (e)
        return sr_failure_from(SR_FAILURE_DEVICE_INVALID, e);
    if (l.in_use && !streq(l.label, MOUNT_LABEL))
        return error_detail(error_api("SR_DEVICE_IN_USE", 0), "%s is in use", m->source);
    add_device(p, m->source, &l);
    return NULL;
}

/* ---- directories ---- */

static void add_sizes(struct sr_place_found *f, const char *path)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        return;
    f->size = (int64_t)(st.f_blocks * st.f_frsize);
    f->free = (int64_t)(st.f_bavail * st.f_frsize);
}

static void add_sr(struct probing *p, const char *path)
{
    struct sr_place_found f = {.complete = true};

    if (!p->type->driver->whose)
        return;
    struct error *e = p->type->driver->whose(path, &f.sr);
    if (e) {
        error_free(e);
        return;
    }
    add_sizes(&f, path);
    f.what = xasprintf("SR %s", f.sr.s);
    vec_add(&p->found->v, f);
}

/* A place without an SR is one for a new one. */
static void add_empty(struct probing *p, const char *path)
{
    struct sr_place_found f = {.complete = true, .what = xstrdup("can be used")};

    add_sizes(&f, path);
    vec_add(&p->found->v, f);
}

static struct error *look_below(struct probing *p, const char *path)
{
    _cleanup_closedir_ DIR *d = opendir(path);
    const struct dirent *entry;

    if (!d)
        return sr_failure_from(SR_FAILURE_UNAVAILABLE,
                               error_errno(errno, "cannot read directory %s", path));
    while ((entry = readdir(d)) && p->found->v.n < SRS_MAX) {
        _cleanup_free_ char *below = xasprintf("%s/%s", path, entry->d_name);

        if (uuid_is_plain(entry->d_name))
            add_sr(p, below);
    }
    if (p->found->v.n == 0)
        add_empty(p, path);
    return NULL;
}

static struct error *probe_directory(struct probing *p, const struct sr_spec *spec)
{
    _cleanup_place_config_ struct place_config c = {0};
    const struct uuid_text any = uuid_random();
    const struct sr_spec place = {
        .uuid = any.s, .type = spec->type, .device_config = spec->device_config};

    if (!map_string_find(&spec->device_config, "location"))
        return NULL;
    TRY(sr_place_config(&p->storage->config, &place, true, &c));
    add_sr(p, c.location);
    if (p->found->v.n == 0)
        add_empty(p, c.location);
    return NULL;
}

/* ---- servers ---- */

static struct error *probe_exports(struct probing *p, const struct sr_spec *spec)
{
    const struct mounter *by = p->storage->config.mounter;
    const char *server = map_string_find(&spec->device_config, "server");
    _cleanup_str_ struct str out = STR_INIT;
    struct error *e = by->exports(p->storage->config.mounter_ctx, server, &out);
    char *line;

    if (e)
        return sr_failure_from(SR_FAILURE_NFS_TARGET, e);
    char *rest = out.s;
    while (rest && (line = strsep(&rest, "\n"))) {
        if (!*line)
            continue;
        const struct sr_place_found f = {
            .key = xstrdup("serverpath"), .value = xstrdup(line), .what = xstrdup("export")};

        vec_add(&p->found->v, f);
    }
    return NULL;
}

/* Mounted under a name of its own, and unmounted again. */
static struct error *probe_share(struct probing *p, const struct sr_mount *m)
{
    const struct uuid_text name = uuid_random();
    _cleanup_free_ char *path =
        xasprintf("%s/%s%s%s", p->storage->config.mount_root, name.s,
                  m->read_only && *m->below ? "/" : "", m->read_only ? m->below : "");

    TRY(sr_mount_up(p->storage, name.s, m));
    struct error *e = look_below(p, path);
    IGNORE_ERROR(sr_mount_down(p->storage, name.s));
    return e;
}

struct error *sr_probe(struct storage *s, const struct sr_spec *spec, struct sr_places_found *ret)
{
    struct probing p = {.storage = s, .found = ret};
    _cleanup_sr_mount_ struct sr_mount m = {0};

    *ret = (struct sr_places_found){0};
    TRY(sr_find_usable_type(s, spec->type, &p.type));
    TRY(sr_mount_parse(spec, true, &m));
    if (!m.fs)
        return probe_directory(&p, spec);
    if (!s->config.mounter)
        return sr_failure(SR_FAILURE_UNAVAILABLE,
                          "this host mounts no file systems for repositories");
    if (!sr_mount_is_remote(&m))
        return probe_device(&p, &m);
    return m.source ? probe_share(&p, &m) : probe_exports(&p, spec);
}
