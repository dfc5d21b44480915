/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshot and clone: the source's image is frozen and shared, whoever goes on writing does so in a
 * new image above it.
 *
 * Order, so that a crash at any point leaves either the old state or the new one:
 *   1. the new image(s), referred to by nothing            -> garbage
 *   2. the record of the new VDI                           -> tree_unfinished drops it
 *   3. the record of the source: it is now the new image   -> done; an owner that still writes to
 *      the old image is switched when it is met again (guest_connected)
 *   4. the owner switches
 */

#include "storage/sr_internal.h"
#include "storage/tune.h"
#include "storage/vdi.h"
#include "storage/vdi_internal.h"

#include <errno.h>

struct making {
    struct sr *sr;
    struct vdi *source;
    struct node *shared; /* the image that is frozen */
    bool stays;          /* the source goes on in the image it has */
    struct node *next;   /* in which the source goes on, NULL if it does not write */
    struct node *own;    /* clone: the new disk's image */
    struct vdi *made;
};

static struct error *check_depth(const struct node *n)
{
    if (node_depth(n) + 1 > VDI_DEPTH_MAX)
        return sr_failure(SR_FAILURE_CHAIN_TOO_LONG, "more than %d images would have to be read",
                          VDI_DEPTH_MAX);
    return NULL;
}

static struct error *make_overlay(struct making *m, const char *for_vdi, int which,
                                  struct node **ret)
{
    return sr_make_node(m->sr, for_vdi, which, IMAGE_QCOW2, m->shared->size, m->shared, ret);
}

/* Step 3 and 4. The pins follow the owner: it writes the new image and reads the old. */
static struct error *move_source(struct making *m)
{
    struct vdi *v = m->source;
    struct owner *o = v->owner;

    if (!m->next)
        return NULL;
    if (o) {
        TRY(guest_device_flush(m->sr, o));
        TRY(o->driver->overlay_open(o, m->next));
    }
    tree_set_vdi_node(v, m->next);
    struct error *e = sr_write_vdi(m->sr, v);
    if (!e && o)
        e = o->driver->overlay_switch(o, m->next);
    if (e) {
        tree_set_vdi_node(v, m->shared);
        IGNORE_ERROR(sr_write_vdi(m->sr, v));
        if (o)
            o->driver->node_close(o, m->next);
        return e;
    }
    if (o) {
        chain_unpin(m->shared, o->writable);
        if (!chain_pin(m->next, o->writable))
            abort(); /* nobody else knows the new image */
        o->top = m->next;
    }
    if (m->sr->driver->link)
        m->sr->driver->link(m->sr->place, v->uuid.s, m->next);
    return NULL;
}

static void undo(struct making *m)
{
    if (m->made) {
        _cleanup_free_ char *name = xasprintf("%s.vdi", m->made->uuid.s);
        IGNORE_ERROR(m->sr->driver->record_remove(m->sr->place, name));
        if (m->sr->driver->link)
            m->sr->driver->link(m->sr->place, m->made->uuid.s, NULL);
        tree_remove_vdi(&m->sr->tree, m->made);
    }
    /* Not further down: the shared image is the source's. */
    if (m->own)
        sr_release_node(m->sr, m->own);
    if (m->next && node_is_unused(m->next))
        sr_release_node(m->sr, m->next);
}

static struct error *make(struct making *m, const char *to, const struct vdi *like, bool clone,
                          const struct map *props)
{
    /* An owner that only reads (a guest's read-only disk, a reader of a copy) needs no new image
     * now: the one after the next opening for writing does (sr_make_writable). */
    bool moves = !m->source->frozen && !m->stays;

    TRY(sr_check_writable(m->sr));
    if (moves || clone)
        TRY(check_depth(m->shared));
    if (m->shared->busy)
        return vdi_in_use(m->source->uuid.s, clone ? "clone" : "snapshot");
    if (moves)
        TRY(make_overlay(m, to, 1, &m->next));
    if (clone)
        TRY(make_overlay(m, to, 0, &m->own));
    TRY(sr_add_vdi(m->sr, to, clone ? m->own : m->shared, &m->made, like, props));
    return move_source(m);
}

/*
 * A closed disk that was never written since it was last frozen has an empty image of its own:
 * what is to be shared is the one below. Without this, each clone of a template would deepen the
 * template's chain.
 */
static bool has_empty_leaf(struct sr *sr, const struct vdi *v)
{
    const struct node *n = v->node, *below = n->parent;

    return !v->frozen && !v->owner && below && !below->busy && !below->broken &&
           below->size == n->size && n->n_vdis == 1 && !n->n_children && !n->readers &&
           !n->writer && !n->busy && sr->driver->image_untouched &&
           sr->driver->image_untouched(sr->place, n);
}

static struct error *derive(struct storage *s, const char *sr_uuid, const char *vdi, const char *to,
                            const struct vdi *like, bool clone, const struct map *props)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(vdi_check_new(to, props));
    TRY(sr_lock_vdi_settled(s, sr_uuid, vdi, &sr, &v));
    if (tree_find_vdi(&sr->tree, to))
        return NULL; /* its record is written last but one, and the last step is never left undone
                      */
    if (v->node->broken)
        return sr_failure(SR_FAILURE_VDI_LOAD, "image %s is missing or damaged", v->node->id.s);
    struct making m = {.sr = sr, .source = v, .shared = v->node};

    if (has_empty_leaf(sr, v)) {
        m.shared = v->node->parent;
        m.stays = true;
    }
    struct error *e = make(&m, to, like, clone, props);
    if (e)
        undo(&m);
    return sr_failure_from(clone ? SR_FAILURE_VDI_CLONE : SR_FAILURE_VDI_SNAPSHOT, e);
}

struct error *vdi_snapshot(struct storage *s, const char *sr, const char *vdi, const char *to,
                           int64_t time, const struct map *props)
{
    struct vdi like = {.frozen = true, .is_snapshot = true, .snapshot_time = time};

    snprintf(like.snapshot_of.s, sizeof(like.snapshot_of.s), "%s", vdi);
    return derive(s, sr, vdi, to, &like, false, props);
}

struct error *vdi_clone(struct storage *s, const char *sr, const char *vdi, const char *to,
                        const struct map *props)
{
    return derive(s, sr, vdi, to, NULL, true, props);
}

/* A snapshot that was written to is its own writer: from now on it shares. */
static struct error *freeze(struct sr *sr, struct vdi *v)
{
    if (v->frozen)
        return NULL;
    if (v->owner || v->node->writer)
        return vdi_in_use(v->uuid.s, "revert");
    v->frozen = true;
    struct error *e = sr_write_vdi(sr, v);
    if (e)
        v->frozen = false;
    return e;
}

/* A disk writes to a new top from now on, which is let go of if the record cannot be written. */
static struct error *put_on_top(struct sr *sr, struct vdi *v, struct node *top)
{
    struct node *old = v->node;
    bool was_frozen = v->frozen;

    v->frozen = false;
    tree_set_vdi_node(v, top);
    struct error *e = sr_write_vdi(sr, v);

    if (e) {
        v->frozen = was_frozen;
        tree_set_vdi_node(v, old);
        sr_release_node(sr, top);
        return e;
    }
    if (sr->driver->link)
        sr->driver->link(sr->place, v->uuid.s, top);
    return NULL;
}

static struct error *revert(struct sr *sr, struct vdi *v, struct vdi *snapshot)
{
    struct node *old = v->node;
    struct node *n = NULL;

    TRY(freeze(sr, snapshot));
    TRY(check_depth(snapshot->node));
    TRY(sr_make_node(sr, v->uuid.s, NODE_OF_REVERT, IMAGE_QCOW2, snapshot->node->size,
                     snapshot->node, &n));
    TRY(put_on_top(sr, v, n));
    sr_release_node(sr, old);
    return NULL;
}

struct error *vdi_revert(struct storage *s, const char *sr_uuid, const char *vdi,
                         const char *snapshot)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi_idle(s, sr_uuid, vdi, &sr, &v));
    struct vdi *from = tree_find_vdi(&sr->tree, snapshot);
    while (from && sr_merge_touches(sr, from->node)) {
        sr_wait_merge(sr);
        v = tree_find_vdi(&sr->tree, vdi);
        from = tree_find_vdi(&sr->tree, snapshot);
    }
    if (!v || !from)
        return error_api("VDI_MISSING", 2, sr_uuid, v ? snapshot : vdi);
    TRY(sr_check_writable(sr));
    if (v->owner || v->node->busy || sr_merge_touches(sr, v->node))
        return vdi_in_use(vdi, "revert");
    return v == from ? NULL : sr_failure_from(SR_FAILURE_VDI_CLONE, revert(sr, v, from));
}

struct error *sr_make_writable(struct sr *sr, struct vdi *v)
{
    struct node *old = v->node;
    struct node *n = NULL;

    if (!vdi_shares_node(v))
        return NULL;
    if (v->owner)
        return vdi_in_use(v->uuid.s, "attach");
    TRY(check_depth(old));
    TRY(sr_make_node(sr, v->uuid.s, 0, IMAGE_QCOW2, old->size, old, &n));
    return put_on_top(sr, v, n);
}
