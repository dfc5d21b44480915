/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All data of a disk into a new one. No lock is held while bytes move: the source is pinned, the
 * new image is referred to by nothing. */

#include "storage/tune.h"
#include "storage/vdi.h"
#include "storage/vdi_internal.h"

#include <assert.h>
#include <errno.h>

struct copying {
    struct sr *from_sr;
    struct node *from; /* pinned */
    struct sr *to_sr;
    struct node *made; /* busy */
};

static struct error *pin_source(struct storage *s, const char *sr_uuid, const char *vdi,
                                struct copying *c)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi_idle(s, sr_uuid, vdi, &sr, &v));
    TRY(sr_pin(sr, v->node, false, vdi, "copy"));
    c->from_sr = sr;
    c->from = v->node;
    return NULL;
}

static void unpin_source(struct copying *c)
{
    pthread_mutex_lock(&c->from_sr->lock);
    sr_unpin(c->from_sr, c->from, false);
    pthread_mutex_unlock(&c->from_sr->lock);
}

/* *ret_done: the disk is already there, from an earlier call. */
static struct error *begin_target(struct storage *s, const char *sr_uuid, const char *to,
                                  int format, struct copying *c, bool *ret_done)
{
    _cleanup_sr_ struct sr *sr = NULL;
    int64_t ignored;

    TRY(sr_lock(s, sr_uuid, &sr));
    TRY(sr_check_writable(sr));
    if (tree_find_vdi(&sr->tree, to)) {
        *ret_done = true;
        return NULL;
    }
    enum image_format f = format < 0 ? sr->preferred : (enum image_format)format;
    TRY(vdi_round_size(c->from->size, f, &ignored));
    if (sr->driver->owner != c->from_sr->driver->owner || !sr->driver->image_copy)
        return error_api("SR_OPERATION_NOT_SUPPORTED", 1, sr_uuid);
    struct node *n = sr_add_node(sr, to, 0, f, c->from->size, NULL);
    struct error *e = sr_write_node(sr, n);
    if (e) {
        tree_remove_node(&sr->tree, n);
        return sr_failure_from(SR_FAILURE_VDI_CREATE, e);
    }
    n->busy = true;
    sr->working++;
    c->to_sr = sr;
    c->made = n;
    return NULL;
}

static struct error *end_target(struct copying *c, struct error *e, const char *to,
                                const struct map *props)
{
    struct sr *sr = c->to_sr;
    struct vdi *v = NULL;

    pthread_mutex_lock(&sr->lock);
    c->made->busy = false;
    if (!e && !tree_find_vdi(&sr->tree, to)) /* else another call for the same was first */
        e = sr_add_vdi(sr, to, c->made, &v, NULL, props);
    sr_release_node(sr, c->made); /* if it found no use */
    sr->working--;
    pthread_cond_broadcast(&sr->changed);
    pthread_mutex_unlock(&sr->lock);
    return e;
}

struct error *vdi_copy(struct storage *s, const char *sr, const char *vdi, const char *to_sr,
                       const char *to, int format, const struct map *props,
                       const struct image_progress *progress)
{
    struct copying c = {0};
    bool done = false;

    assert(format < IMAGE_FORMAT_MAX);
    TRY(vdi_check_new(to, props));
    TRY(pin_source(s, sr, vdi, &c));
    struct error *e = begin_target(s, to_sr, to, format, &c, &done);
    if (!e && !done) {
        e = c.to_sr->driver->image_copy(c.to_sr->place, c.made, c.from_sr->driver, c.from_sr->place,
                                        c.from, progress);
        e = end_target(&c, e, to, props);
    }
    unpin_source(&c);
    if (e && e->errnum == ECANCELED)
        return e;
    return sr_failure_from(SR_FAILURE_VDI_CREATE, e);
}
