/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The set of attached SRs, and errors as clients know them. */

#include "storage/storage.h"

#include "base/io.h"
#include "base/wait.h"
#include "storage/sr_internal.h"
#include "storage/tune.h"

#include <assert.h>
#include <errno.h>

struct error *sr_failure(enum sr_failure n, const char *fmt, ...)
{
    char code[40];
    va_list ap;

    snprintf(code, sizeof(code), "SR_BACKEND_FAILURE_%d", (int)n);
    va_start(ap, fmt);
    _cleanup_free_ char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return error_api(code, 3, "", text, "");
}

struct error *sr_failure_from(enum sr_failure n, struct error *e)
{
    if (!e || e->code)
        return e;
    _cleanup_free_ char *text = error_string(e);

    switch (e->errnum) {
    case ENOSPC:
    case EDQUOT:
        n = SR_FAILURE_NO_SPACE;
        break;
    case ESTALE:
    case ENOTDIR:
        n = SR_FAILURE_UNAVAILABLE;
        break;
    case EIO:
        n = SR_FAILURE_EIO;
        break;
    case EROFS:
        n = SR_FAILURE_ISO_NO_WRITE;
        break;
    default:
        break;
    }
    error_free(e);
    return sr_failure(n, "%s", text);
}

struct error *vdi_in_use(const char *vdi, const char *operation)
{
    return error_api("VDI_IN_USE", 2, vdi, operation);
}

static char *dup_or(const char *s, const char *otherwise)
{
    return xstrdup(s ? s : otherwise);
}

static void copy_config(struct storage_config *to, const struct storage_config *from)
{
    char **roots = xnew_array(char *, from->n_roots + 1);

    for (size_t i = 0; i < from->n_roots; i++)
        roots[i] = xstrdup(from->roots[i]);
    *to = (struct storage_config){
        .state_dir = xstrdup(from->state_dir),
        .run_dir = xstrdup(from->run_dir),
        .roots = (const char *const *)roots,
        .n_roots = from->n_roots,
        .qemu_img = dup_or(from->qemu_img, "qemu-img"),
        .storage_daemon = dup_or(from->storage_daemon, "qemu-storage-daemon"),
        .loop = from->loop,
        .block_devices = from->block_devices,
        .mount_root = from->mount_root ? xstrdup(from->mount_root) : NULL,
        .mounter = from->mounter,
        .mounter_ctx = from->mounter_ctx,
    };
}

static void drop(const char *s)
{
    free((void *)(uintptr_t)s);
}

static void free_config(struct storage_config *c)
{
    for (size_t i = 0; i < c->n_roots; i++)
        drop(c->roots[i]);
    free((void *)(uintptr_t)c->roots);
    drop(c->state_dir);
    drop(c->run_dir);
    drop(c->mount_root);
    drop(c->qemu_img);
    drop(c->storage_daemon);
}

struct error *storage_new(const struct storage_config *c, struct storage **ret)
{
    _cleanup_storage_ struct storage *s = xnew(struct storage);

    assert(c->n_roots > 0);
    copy_config(&s->config, c);
    pthread_mutex_init(&s->lock, NULL);
    turns_init(&s->attaching);
    pthread_cond_init(&s->unused, NULL);
    s->inventory = xasprintf("%s/storage", c->state_dir);
    TRY(io_mkdir_p(s->inventory, 0700));
    TRY(io_mkdir_p(c->run_dir, 0700));
    if (c->mount_root)
        TRY(io_mkdir_p(c->mount_root, 0700));
    owner_daemon_sweep(s->config.run_dir, c->loop);
    *ret = TAKE_PTR(s);
    return NULL;
}

void storage_free(struct storage *s)
{
    size_t pos = 0;
    const char *key;
    struct sr *sr;

    if (!s)
        return;
    vec_foreach (thread, &s->restorers)
        pthread_join(*thread, NULL);
    vec_fini(&s->restorers);
    while ((sr = strmap_next(&s->srs, &pos, &key))) {
        strmap_remove(&s->srs, key);
        sr_free(sr);
    }
    guests_free(s);
    strmap_fini(&s->srs);
    pthread_cond_destroy(&s->unused);
    turns_fini(&s->attaching);
    pthread_mutex_destroy(&s->lock);
    free_config(&s->config);
    free(s->inventory);
    free(s);
}

/* What holds the lock of an SR on a server waits for that server at worst. Others wait a while for
 * it, then they are told: threads that wait are missing elsewhere. */
static struct error *take_lock(struct sr *sr)
{
    if (!sr->on_server) {
        pthread_mutex_lock(&sr->lock);
        return NULL;
    }
    while (!mutex_lock_until(&sr->lock, mono_us() + SECOND_US)) {
        int64_t since = atomic_load(&sr->held_since);

        if (since && mono_us() - since > SR_SILENT_US)
            return sr_failure(SR_FAILURE_UNAVAILABLE, "the server does not answer since %lld s",
                              (long long)((mono_us() - since) / SECOND_US));
    }
    atomic_store(&sr->held_since, mono_us());
    return NULL;
}

static void leave(struct sr *sr)
{
    struct storage *s = sr->storage;

    pthread_mutex_lock(&s->lock);
    if (--sr->users == 0)
        pthread_cond_broadcast(&s->unused);
    pthread_mutex_unlock(&s->lock);
}

struct error *sr_lock(struct storage *s, const char *uuid, struct sr **ret)
{
    pthread_mutex_lock(&s->lock);
    struct sr *sr = strmap_find(&s->srs, uuid);
    if (sr)
        sr->users++;
    pthread_mutex_unlock(&s->lock);
    if (!sr)
        return error_api("SR_NOT_ATTACHED", 1, uuid);
    struct error *e = take_lock(sr);

    if (e) {
        leave(sr);
        return e;
    }
    if (sr->gone) {
        sr_unlock(sr);
        return error_api("SR_NOT_ATTACHED", 1, uuid);
    }
    *ret = sr;
    return NULL;
}

void sr_unlock(struct sr *sr)
{
    atomic_store(&sr->held_since, 0);
    pthread_mutex_unlock(&sr->lock);
    leave(sr);
}

struct error *sr_lock_vdi(struct storage *s, const char *sr_uuid, const char *vdi, struct sr **ret,
                          struct vdi **ret_vdi)
{
    struct sr *sr = NULL;

    TRY(sr_lock(s, sr_uuid, &sr));
    struct vdi *v = tree_find_vdi(&sr->tree, vdi);
    if (!v) {
        sr_unlock(sr);
        return error_api("VDI_MISSING", 2, sr_uuid, vdi);
    }
    *ret = sr;
    *ret_vdi = v;
    return NULL;
}

bool sr_merge_touches(const struct sr *sr, const struct node *n)
{
    for (; sr->collecting && n; n = n->parent) {
        if (n->busy)
            return true;
    }
    return false;
}

void sr_wait_merge(struct sr *sr)
{
    sr->yield = true;
    atomic_store(&sr->held_since, 0);
    pthread_cond_wait(&sr->changed, &sr->lock);
    atomic_store(&sr->held_since, mono_us());
}

struct error *sr_lock_vdi_idle(struct storage *s, const char *sr_uuid, const char *vdi,
                               struct sr **ret, struct vdi **ret_vdi)
{
    struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi(s, sr_uuid, vdi, &sr, &v));
    while (v && sr_merge_touches(sr, v->node)) {
        sr_wait_merge(sr);
        v = tree_find_vdi(&sr->tree, vdi);
    }
    if (!v) {
        sr_unlock(sr);
        return error_api("VDI_MISSING", 2, sr_uuid, vdi);
    }
    *ret = sr;
    *ret_vdi = v;
    return NULL;
}

static bool wait_for_change(struct sr *sr, int64_t end)
{
    atomic_store(&sr->held_since, 0);
    bool in_time = cond_wait_until(&sr->changed, &sr->lock, end);

    atomic_store(&sr->held_since, mono_us());
    return in_time;
}

struct error *sr_lock_vdi_settled(struct storage *s, const char *sr_uuid, const char *vdi,
                                  struct sr **ret, struct vdi **ret_vdi)
{
    int64_t end = mono_us() + ATTACH_TIMEOUT_US;
    bool in_time = true;

    for (;;) {
        struct sr *sr = NULL;
        struct vdi *v = NULL;

        TRY(sr_lock_vdi_idle(s, sr_uuid, vdi, &sr, &v));
        if (!v->owner || !sr_is_attaching(sr, v->owner)) {
            *ret = sr;
            *ret_vdi = v;
            return NULL;
        }
        if (in_time)
            in_time = wait_for_change(sr, end);
        sr_unlock(sr);
        if (!in_time)
            return vdi_in_use(vdi, "attach");
    }
}

struct error *sr_check_writable(const struct sr *sr)
{
    if (sr->driver->flags & SR_READ_ONLY)
        return error_api("SR_OPERATION_NOT_SUPPORTED", 1, sr->uuid.s);
    return NULL;
}
