/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, mounting and unmounting the file systems of SRs. */

#include "storage/sr_mount.h"

#include "base/io.h"
#include "storage/sr_internal.h"

#include <errno.h>

static struct error *check_mounter(const struct storage *s)
{
    return s->config.mounter ? NULL
                             : sr_failure(SR_FAILURE_UNAVAILABLE,
                                          "this host mounts no file systems for repositories");
}

char *sr_mount_path(const struct storage_config *c, const char *uuid, const struct sr_mount *m)
{
    return xasprintf("%s/%s%s%s", c->mount_root, uuid, *m->below ? "/" : "", m->below);
}

/* ---- devices ---- */

static struct error *device_failure(struct error *e, const char *device)
{
    _cleanup_error_ struct error *problem = e;

    if (problem->errnum == EBUSY)
        return error_detail(error_api("SR_DEVICE_IN_USE", 0), "%s is in use", device);
    _cleanup_free_ char *text = error_string(problem);
    return sr_failure(SR_FAILURE_DEVICE_INVALID, "The device is not usable: %s", text);
}

static struct error *look_at(struct storage *s, const char *device, struct device_look *ret)
{
    struct error *e = s->config.mounter->look(s->config.mounter_ctx, device, ret);

    return e ? device_failure(e, device) : NULL;
}

static bool is_of(const struct device_look *l, const char *fs, const char *uuid)
{
    return streq(l->fs, fs) && strcasecmp(l->uuid, uuid) == 0;
}

static struct error *check_may_erase(const char *device, const struct device_look *l,
                                     const struct sr_mount *m)
{
    if (l->in_use)
        return error_detail(error_api("SR_DEVICE_IN_USE", 0), "%s is in use", device);
    if (m->force || !*l->fs)
        return NULL;
    if (streq(l->label, MOUNT_LABEL))
        return sr_failure(SR_FAILURE_EXISTS,
                          "%s holds SR %s: introduce it, or device-config:force=true erases it",
                          device, l->uuid);
    return sr_failure(SR_FAILURE_DEVICE_INVALID,
                      "%s holds something (%s): device-config:force=true erases it", device, l->fs);
}

struct error *sr_mount_format(struct storage *s, const struct sr_spec *spec,
                              const struct sr_mount *m)
{
    struct device_look l;

    TRY(check_mounter(s));
    if (sr_mount_is_remote(m))
        return NULL;
    TRY(look_at(s, m->source, &l));
    if (is_of(&l, m->fs, spec->uuid))
        return NULL; /* this call was here before */
    TRY(check_may_erase(m->source, &l, m));
    struct error *e =
        s->config.mounter->format(s->config.mounter_ctx, m->fs, m->source, spec->uuid);

    return e ? device_failure(e, m->source) : NULL;
}

/* The device of an SR: names of devices change, its file system's uuid does not. */
static struct error *find_device(struct storage *s, const char *uuid, const struct sr_mount *m,
                                 char **ret)
{
    _cleanup_free_ char *by_uuid = xasprintf("/dev/disk/by-uuid/%s", uuid);
    struct device_look l = {0};
    struct error *e = look_at(s, m->source, &l);

    if (!e && is_of(&l, m->fs, uuid)) {
        *ret = xstrdup(m->source);
        return NULL;
    }
    struct device_look other;
    struct error *none = look_at(s, by_uuid, &other);
    if (!none && is_of(&other, m->fs, uuid)) {
        error_free(e);
        *ret = TAKE_PTR(by_uuid);
        return NULL;
    }
    error_free(none);
    return e ? e
             : sr_failure(SR_FAILURE_UNAVAILABLE, "%s holds %s, not the file system of this SR",
                          m->source, *l.fs ? l.fs : "nothing");
}

struct error *sr_mount_is_made(struct storage *s, const char *uuid, const struct sr_mount *m,
                               bool *ret)
{
    struct device_look l;

    TRY(check_mounter(s));
    *ret = true;
    if (sr_mount_is_remote(m))
        return NULL;
    TRY(look_at(s, m->source, &l));
    *ret = is_of(&l, m->fs, uuid);
    return NULL;
}

struct error *sr_mount_wipe(struct storage *s, const struct sr_mount *m)
{
    if (sr_mount_is_remote(m))
        return NULL;
    struct error *e = s->config.mounter->wipe(s->config.mounter_ctx, m->source);

    return e ? device_failure(e, m->source) : NULL;
}

/* ---- mounting ---- */

struct search {
    const char *name;
    const char *source; /* NULL = any */
    bool found, same;
};

static void compare(void *arg, const char *name, const char *source)
{
    struct search *s = arg;

    if (!streq(s->name, name))
        return;
    s->found = true;
    s->same = !s->source || streq(s->source, source);
}

static struct error *mount_failure(const struct sr_mount *m, struct error *e)
{
    _cleanup_free_ char *text = error_string(e);
    int n = strstr(text, "resolve") ? SR_FAILURE_DNS : m->failure; /* the server's name */

    error_free(e);
    return sr_failure((enum sr_failure)n, "%s cannot be mounted: %s", m->source, text);
}

struct error *sr_mount_up(struct storage *s, const char *uuid, const struct sr_mount *m)
{
    struct search before = {.name = uuid, .source = sr_mount_is_remote(m) ? m->source : NULL};
    _cleanup_free_ char *device = NULL;

    TRY(check_mounter(s));
    const struct mounter *by = s->config.mounter;
    TRY(by->list(s->config.mounter_ctx, compare, &before));
    if (before.found && before.same)
        return NULL; /* by a predecessor of this program */
    if (before.found)
        TRY(sr_mount_down(s, uuid));
    if (!sr_mount_is_remote(m))
        TRY(find_device(s, uuid, m, &device));
    const struct mount_order o = {.name = uuid,
                                  .fs = m->fs,
                                  .source = device ? device : m->source,
                                  .options = m->options,
                                  .password = m->password,
                                  .read_only = m->read_only};
    struct error *e = by->mount(s->config.mounter_ctx, &o);

    return e ? mount_failure(m, e) : NULL;
}

struct error *sr_mount_down(struct storage *s, const char *uuid)
{
    struct search mounted = {.name = uuid};

    if (!s->config.mounter)
        return NULL;
    TRY(s->config.mounter->list(s->config.mounter_ctx, compare, &mounted));
    if (!mounted.found)
        return NULL;
    return sr_failure_from(SR_FAILURE_UNAVAILABLE,
                           s->config.mounter->unmount(s->config.mounter_ctx, uuid));
}

/* ---- what a predecessor left ---- */

struct sweep {
    struct VEC(char *) names;
};

static void note_name(void *arg, const char *name, const char *source)
{
    struct sweep *w = arg;

    vec_add(&w->names, xstrdup(name));
}

void sr_mount_sweep(struct storage *s)
{
    struct sweep w = {0};

    if (!s->config.mounter)
        return;
    IGNORE_ERROR(s->config.mounter->list(s->config.mounter_ctx, note_name, &w));
    vec_foreach (name, &w.names) {
        _cleanup_free_ char *entry = xasprintf("%s/%s.json", s->inventory, *name);

        if (access(entry, F_OK) < 0 && errno == ENOENT)
            IGNORE_ERROR(sr_mount_down(s, *name));
        free(*name);
    }
    vec_fini(&w.names);
}
