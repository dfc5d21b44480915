/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NBD connections: exports of the process that owns the chain; started for it if there is none. */

#include "storage/tune.h"
#include "storage/vdi.h"
#include "storage/vdi_internal.h"

#include <errno.h>

static void forget_use(struct sr *sr, struct nbd_use *u)
{
    strmap_remove(&sr->exports, u->id);
    free(u->id);
    free(u);
}

void sr_forget_owner(struct sr *sr, struct owner *o)
{
    size_t pos = 0;
    const char *key;
    struct nbd_use *u;

    while ((u = strmap_next(&sr->exports, &pos, &key))) {
        if (u->owner == o)
            forget_use(sr, u);
    }
    sr_stop_owner(sr, o);
}

bool sr_is_attaching(const struct sr *sr, const struct owner *o)
{
    size_t pos = 0;
    const char *key;
    const struct nbd_use *u;

    while ((u = strmap_next(&sr->exports, &pos, &key))) {
        if (u->owner == o && u->attaching)
            return true;
    }
    return false;
}

static bool has_writer(const struct sr *sr, const struct owner *o)
{
    size_t pos = 0;
    const char *key;
    const struct nbd_use *u;

    while ((u = strmap_next(&sr->exports, &pos, &key))) {
        if (u->owner == o && u->writable)
            return true;
    }
    return false;
}

/* The owner to be exported from. */
static struct error *find_owner(struct sr *sr, struct vdi *v, bool writable, struct owner **ret)
{
    struct owner *o = v->owner;

    if (o && !o->guest && !o->driver->alive(o)) {
        sr_forget_owner(sr, o);
        o = NULL;
    }
    if (o && writable && (o->guest || !o->writable || has_writer(sr, o)))
        return vdi_in_use(v->uuid.s, "attach");
    if (!o) {
        if (writable) {
            TRY(sr_check_writable(sr));
            TRY(sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, sr_make_writable(sr, v)));
        }
        TRY(sr_start_owner(sr, v->node, v, writable, &o));
    }
    *ret = o;
    return NULL;
}

static void stop_if_idle(struct sr *sr, struct owner *o)
{
    if (o->n_exports == 0 && !o->guest)
        sr_stop_owner(sr, o);
}

static struct error *add_use(struct sr *sr, struct vdi *v, const char *id, bool writable,
                             int *ret_fd)
{
    struct owner *o = NULL;
    _cleanup_close_ int fd = -1;

    if (sr->exports.n >= SR_EXPORTS_MAX)
        return sr_failure(SR_FAILURE_VDI_UNAVAILABLE, "too many connections to disks of this SR");
    TRY(find_owner(sr, v, writable, &o));
    struct error *e = o->driver->export_add(o, id, writable);
    if (!e) {
        e = o->driver->connect(o, &fd);
        if (e)
            o->driver->export_remove(o, id);
    }
    if (e) {
        stop_if_idle(sr, o);
        return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, e);
    }
    struct nbd_use *u = xnew(struct nbd_use);
    u->id = xstrdup(id);
    u->owner = o;
    u->writable = writable;
    u->attaching = 1;
    strmap_set(&sr->exports, u->id, u);
    o->n_exports++;
    *ret_fd = TAKE_FD(fd);
    return NULL;
}

struct error *vdi_nbd(struct storage *s, const char *sr_uuid, const char *uuid, const char *id,
                      bool writable, int *ret_fd)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    if (!uuid_is_valid(id))
        return error_api("UUID_INVALID", 2, "NBD", id);
    TRY(sr_lock_vdi_idle(s, sr_uuid, uuid, &sr, &v));
    struct nbd_use *u = strmap_find(&sr->exports, id);
    if (u && u->owner->driver->alive(u->owner)) {
        if (u->owner->vdi != v || u->writable != writable)
            return vdi_in_use(uuid, "attach");
        TRY(sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE,
                            u->owner->driver->connect(u->owner, ret_fd)));
        u->attaching++;
        return NULL;
    }
    if (u)
        sr_forget_owner(sr, u->owner);
    return add_use(sr, v, id, writable, ret_fd);
}

struct error *vdi_nbd_attached(struct storage *s, const char *sr_uuid, const char *id)
{
    _cleanup_sr_ struct sr *sr = NULL;

    TRY(sr_lock(s, sr_uuid, &sr));
    struct nbd_use *u = strmap_find(&sr->exports, id);

    if (u && u->attaching) {
        u->attaching--;
        pthread_cond_broadcast(&sr->changed);
    }
    return NULL;
}

struct error *vdi_nbd_close(struct storage *s, const char *sr_uuid, const char *id)
{
    _cleanup_sr_ struct sr *sr = NULL;

    TRY(sr_lock(s, sr_uuid, &sr));
    struct nbd_use *u = strmap_find(&sr->exports, id);
    while (u && sr_merge_touches(sr, u->owner->top)) {
        sr_wait_merge(sr);
        u = strmap_find(&sr->exports, id);
    }
    if (!u)
        return NULL;
    struct owner *o = u->owner;
    o->driver->export_remove(o, id);
    o->n_exports--;
    forget_use(sr, u);
    pthread_cond_broadcast(&sr->changed);
    stop_if_idle(sr, o);
    return NULL;
}
