/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, removing, describing and growing disks. */

#include "storage/vdi.h"

#include "storage/tune.h"
#include "storage/vdi_internal.h"

#include <assert.h>
#include <errno.h>

struct error *vdi_round_size(int64_t size, enum image_format format, int64_t *ret)
{
    int64_t max = format == IMAGE_VHD ? VDI_SIZE_MAX_VHD : VDI_SIZE_MAX;

    if (size <= 0 || size > max)
        return sr_failure(SR_FAILURE_VDI_SIZE, "size must be between 1 and %lld bytes",
                          (long long)max);
    *ret = (size + VDI_SIZE_STEP - 1) / VDI_SIZE_STEP * VDI_SIZE_STEP;
    return NULL;
}

void vdi_take_props(struct vdi *v, const struct map *props)
{
    const char *const *keys = props ? props->k : NULL;
    const char *const *values = props ? props->v : NULL;

    json_object_clear(v->props);
    for (size_t i = 0; props && i < props->n; i++)
        json_object_set_new(v->props, keys[i], json_string(values[i]));
}

/* Records have a limit; so has what a client can put into them. */
struct error *vdi_check_new(const char *uuid, const struct map *props)
{
    const char *const *keys = props ? props->k : NULL;
    const char *const *values = props ? props->v : NULL;
    size_t total = 0;

    if (!uuid_is_valid(uuid))
        return error_api("UUID_INVALID", 2, "VDI", uuid);
    for (size_t i = 0; props && i < props->n; i++)
        total += strlen(keys[i]) + strlen(values[i]) + 64;
    if (total > SR_RECORD_BYTES / 8)
        return sr_failure(SR_FAILURE_VDI_CREATE, "the properties of the VDI are too long");
    return NULL;
}

struct error *sr_add_vdi(struct sr *sr, const char *uuid, struct node *n, struct vdi **ret,
                         const struct vdi *like, const struct map *props)
{
    struct vdi *v = tree_add_vdi(&sr->tree, uuid, n);

    vdi_take_props(v, props);
    if (like) {
        v->frozen = like->frozen;
        v->is_snapshot = like->is_snapshot;
        v->snapshot_of = like->snapshot_of;
        v->snapshot_time = like->snapshot_time;
    }
    struct error *e = sr_write_vdi(sr, v);
    if (e) {
        tree_remove_vdi(&sr->tree, v);
        return e;
    }
    if (sr->driver->link)
        sr->driver->link(sr->place, uuid, n);
    *ret = v;
    return NULL;
}

static struct error *create_locked(struct sr *sr, const char *uuid, int64_t size,
                                   enum image_format format, const struct map *props)
{
    struct vdi *v = tree_find_vdi(&sr->tree, uuid);
    struct node *n = NULL;

    TRY(sr_check_writable(sr));
    TRY(vdi_round_size(size, format, &size));
    if (v && !v->is_snapshot && v->node->size == size)
        return NULL;
    if (v)
        return sr_failure(SR_FAILURE_EXISTS, "VDI %s exists and is different", uuid);
    if (sr->tree.vdis.n >= SR_NODES_MAX / 2)
        return sr_failure(SR_FAILURE_NO_SPACE, "too many VDIs");
    TRY(sr_failure_from(SR_FAILURE_VDI_CREATE, sr_make_node(sr, uuid, 0, format, size, NULL, &n)));
    struct error *e = sr_add_vdi(sr, uuid, n, &v, NULL, props);
    if (e)
        sr_release_node(sr, n);
    return sr_failure_from(SR_FAILURE_VDI_CREATE, e);
}

struct error *vdi_create(struct storage *s, const char *sr_uuid, const char *uuid, int64_t size,
                         int format, const struct map *props)
{
    _cleanup_sr_ struct sr *sr = NULL;

    TRY(vdi_check_new(uuid, props));
    TRY(sr_lock(s, sr_uuid, &sr));
    assert(format < IMAGE_FORMAT_MAX);
    return create_locked(sr, uuid, size, format < 0 ? sr->preferred : (enum image_format)format,
                         props);
}

struct error *vdi_destroy(struct storage *s, const char *sr_uuid, const char *uuid)
{
    _cleanup_sr_ struct sr *sr = NULL;
    _cleanup_free_ char *name = xasprintf("%s.vdi", uuid);

    TRY(sr_lock(s, sr_uuid, &sr));
    TRY(sr_check_writable(sr));
    struct vdi *v = tree_find_vdi(&sr->tree, uuid);
    while (v && sr_merge_touches(sr, v->node)) {
        sr_wait_merge(sr);
        v = tree_find_vdi(&sr->tree, uuid);
    }
    if (!v)
        return NULL;
    struct node *n = v->node;
    /* A frozen node may go on being read by its children; an only user may not lose it. */
    if (v->owner || n->busy || (n->n_vdis == 1 && n->n_children == 0 && (n->writer || n->readers)))
        return vdi_in_use(uuid, "destroy");
    /* Without its record nobody would look for the link any more. */
    if (sr->driver->link)
        sr->driver->link(sr->place, uuid, NULL);
    struct error *e = sr->driver->record_remove(sr->place, name);
    if (e && sr->driver->link)
        sr->driver->link(sr->place, uuid, n);
    TRY(sr_failure_from(SR_FAILURE_VDI_DELETE, e));
    tree_remove_vdi(&sr->tree, v);
    sr_release_node(sr, n);
    return NULL;
}

struct error *vdi_set_props(struct storage *s, const char *sr_uuid, const char *uuid,
                            const struct map *props)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(vdi_check_new(uuid, props));
    TRY(sr_lock_vdi(s, sr_uuid, uuid, &sr, &v));
    TRY(sr_check_writable(sr));
    json_t *old = json_copy(v->props);
    vdi_take_props(v, props);
    struct error *e = sr_write_vdi(sr, v);
    if (e) {
        json_object_clear(v->props);
        json_object_update(v->props, old);
    }
    json_decref(old);
    return sr_failure_from(SR_FAILURE_UNAVAILABLE, e);
}

void vdi_info_fini(struct vdi_info *i)
{
    free(i->location);
    json_decref(i->props);
    *i = (struct vdi_info){0};
}

struct error *vdi_stat(struct storage *s, const char *sr_uuid, const char *uuid,
                       struct vdi_info *ret)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi(s, sr_uuid, uuid, &sr, &v));
    TRY(sr_failure_from(SR_FAILURE_UNAVAILABLE, sr->driver->check(sr->place)));
    sr_describe_vdi(sr, v, ret);
    return NULL;
}

/* ---- resize ---- */

static struct error *resize_locked(struct sr *sr, struct vdi *v, int64_t size)
{
    struct node *n = v->node;
    struct error *e;

    if (v->owner && v->owner->n_exports > 0)
        return vdi_in_use(v->uuid.s, "resize");
    if (v->owner)
        e = v->owner->driver->resize(v->owner, size);
    else
        e = sr->driver->image_resize(sr->place, n, size);
    TRY(sr_failure_from(SR_FAILURE_VDI_RESIZE, e));
    /* From here the image is larger than its record: recovery knows that case. */
    n->size = size;
    return sr_failure_from(SR_FAILURE_VDI_RESIZE, sr_write_node(sr, n));
}

struct error *vdi_resize(struct storage *s, const char *sr_uuid, const char *uuid, int64_t size,
                         int64_t *ret_size)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi_idle(s, sr_uuid, uuid, &sr, &v));
    TRY(sr_check_writable(sr));
    TRY(vdi_round_size(size, v->node->format, &size));
    if (size < v->node->size)
        return sr_failure(SR_FAILURE_VDI_SIZE, "a VDI cannot be made smaller");
    if (size > v->node->size) {
        if (vdi_shares_node(v) && v->owner)
            return vdi_in_use(uuid, "resize");
        TRY(sr_failure_from(SR_FAILURE_VDI_RESIZE, sr_make_writable(sr, v)));
        if (v->node->busy || (!v->owner && v->node->readers > 0))
            return vdi_in_use(uuid, "resize");
        TRY(resize_locked(sr, v, size));
    }
    *ret_size = v->node->size;
    return NULL;
}
