/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on storage repositories; sr_attach.c opens and closes them. */

#include "storage/sr.h"

#include "storage/vdi_internal.h"

#include <assert.h>
#include <errno.h>

void vdi_list_info_fini(struct vdi_list_info *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].location);
        json_decref(l->v[i].props);
    }
    free(l->v);
    free(l->problems);
    *l = (struct vdi_list_info){0};
}

struct error *sr_stat(struct storage *s, const char *uuid, struct sr_stat *ret)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct sr_stat st = {0};
    size_t pos = 0;
    const char *key;
    const struct vdi *v;

    TRY(sr_lock(s, uuid, &sr));
    TRY(sr_failure_from(SR_FAILURE_UNAVAILABLE, sr->driver->stat(sr->place, &st.size, &st.used)));
    while ((v = strmap_next(&sr->tree.vdis, &pos, &key)))
        st.virtual_allocation += v->node->size;
    *ret = st;
    return NULL;
}

/* ---- scan ---- */

struct scanning {
    struct sr *sr;
    struct vdi_list_info *list;
    struct str problems;
};

static void describe_node(struct sr *sr, struct vdi_info *i, struct node *n)
{
    struct image_stat st = {0};

    i->node = n->id;
    i->parent = n->parent ? n->parent->id : (struct uuid_text){0};
    i->format = n->format;
    i->virtual_size = n->size;
    IGNORE_ERROR(sr->driver->image_stat(sr->place, n, &st));
    i->physical_utilisation = st.physical;
    /* An open image may be ahead of its record for a moment (resize). */
    i->sound = st.sound || n->busy || n->writer;
    for (const struct node *p = n->parent; p; p = p->parent)
        i->sound &= !p->broken;
}

void sr_describe_vdi(struct sr *sr, struct vdi *v, struct vdi_info *ret)
{
    const char *location = json_string_value(json_object_get(v->props, "location"));

    *ret = (struct vdi_info){
        .uuid = v->uuid,
        .location = xstrdup(location ? location : v->uuid.s),
        .snapshot_of = v->snapshot_of,
        .snapshot_time = v->snapshot_time,
        .is_snapshot = v->is_snapshot,
        .managed = true,
        .read_only = (sr->driver->flags & SR_READ_ONLY) != 0,
        .props = json_deep_copy(v->props),
    };
    describe_node(sr, ret, v->node);
}

static void note_damage(struct scanning *s, const struct vdi_info *i)
{
    if (i->sound)
        return;
    s->list->complete = false;
    str_printf(&s->problems, "image %s is missing or damaged, or one below it is\n", i->node.s);
}

static void scan_vdi(struct scanning *s, struct vdi *v)
{
    struct vdi_info *i = &s->list->v[s->list->n++];

    sr_describe_vdi(s->sr, v, i);
    note_damage(s, i);
}

static void scan_hidden(struct scanning *s, struct node *n)
{
    struct vdi_info *i = &s->list->v[s->list->n++];

    *i = (struct vdi_info){.uuid = n->id, .location = xstrdup(n->id.s), .read_only = true};
    describe_node(s->sr, i, n);
    note_damage(s, i);
}

static void scan_tree(struct scanning *s)
{
    struct tree *t = &s->sr->tree;
    size_t pos = 0;
    const char *key;
    struct vdi *v;
    struct node *n;

    s->list->v = xnew_array(struct vdi_info, t->vdis.n + t->nodes.n);
    while ((v = strmap_next(&t->vdis, &pos, &key)))
        scan_vdi(s, v);
    pos = 0;
    while ((n = strmap_next(&t->nodes, &pos, &key))) {
        if (n->n_vdis == 0 && !n->busy)
            scan_hidden(s, n);
    }
}

struct error *sr_scan(struct storage *s, const char *uuid, struct vdi_list_info *ret)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi_list_info list = {0};

    TRY(sr_lock(s, uuid, &sr));
    TRY(sr_failure_from(SR_FAILURE_UNAVAILABLE, sr->driver->check(sr->place)));
    if (sr->driver->refresh)
        TRY(sr_failure_from(SR_FAILURE_SCAN, sr->driver->refresh(sr->place, &sr->tree)));
    struct scanning scan = {.sr = sr, .list = &list};
    list.complete = sr->tree.complete;
    str_add_mem(&scan.problems, sr->tree.problems.s, sr->tree.problems.len);
    scan_tree(&scan);
    list.problems = str_take(&scan.problems);
    *ret = list;
    return NULL;
}

/* ---- records and images, with the lock held ---- */

struct error *sr_write_node(struct sr *sr, struct node *n)
{
    _cleanup_free_ char *text = node_record(n);

    return sr->driver->record_write(sr->place, n->id.s, text);
}

struct error *sr_write_vdi(struct sr *sr, struct vdi *v)
{
    _cleanup_free_ char *text = vdi_record(v);
    _cleanup_free_ char *name = xasprintf("%s.vdi", v->uuid.s);

    return sr->driver->record_write(sr->place, name, text);
}

struct node *sr_add_node(struct sr *sr, const char *vdi, int which, enum image_format format,
                         int64_t size, struct node *parent)
{
    for (;; which += NODE_WHICH_STEP) {
        struct uuid_text id = node_id_for(vdi, which);
        struct node *n = tree_find_node(&sr->tree, id.s);
        if (n && (!node_is_unused(n) || n->readers || n->writer || n->busy))
            continue;
        if (n)
            tree_remove_node(&sr->tree, n);
        return tree_add_node(&sr->tree, id.s, format, size, parent);
    }
}

struct error *sr_make_node(struct sr *sr, const char *vdi, int which, enum image_format format,
                           int64_t size, struct node *parent, struct node **ret)
{
    struct node *n = sr_add_node(sr, vdi, which, format, size, parent);
    struct error *e = sr_write_node(sr, n);
    if (!e)
        e = sr->driver->image_create(sr->place, n);
    if (e) {
        IGNORE_ERROR(sr->driver->image_remove(sr->place, n));
        IGNORE_ERROR(sr->driver->record_remove(sr->place, n->id.s));
        tree_remove_node(&sr->tree, n);
        return e;
    }
    *ret = n;
    return NULL;
}

void sr_release_node(struct sr *sr, struct node *n)
{
    while (n && node_is_unused(n) && n->readers == 0 && !n->writer && !n->busy) {
        struct node *parent = n->parent;
        /* The record goes last: as long as it exists, the image is known to be garbage. */
        struct error *e = sr->driver->image_remove(sr->place, n);
        if (!e)
            e = sr->driver->record_remove(sr->place, n->id.s);
        if (e) {
            error_free(e);
            return;
        }
        tree_remove_node(&sr->tree, n);
        n = parent;
    }
}

/* ---- pins and owners ---- */

struct error *sr_pin(struct sr *sr, struct node *n, bool write, const char *vdi, const char *what)
{
    for (const struct node *p = n; p; p = p->parent) {
        if (p->broken)
            return sr_failure(SR_FAILURE_VDI_LOAD, "image %s is missing or damaged", p->id.s);
    }
    if (!chain_pin(n, write))
        return vdi_in_use(vdi, what);
    return NULL;
}

void sr_unpin(struct sr *sr, struct node *n, bool write)
{
    chain_unpin(n, write);
    pthread_cond_broadcast(&sr->changed);
}

struct error *sr_start_owner(struct sr *sr, struct node *top, struct vdi *v, bool writable,
                             struct owner **ret)
{
    TRY(sr_pin(sr, top, writable, v ? v->uuid.s : top->id.s, "attach"));
    struct error *e =
        sr->driver->owner->start(&sr->place_config, sr->driver, sr->place, top, writable, ret);
    if (e) {
        sr_unpin(sr, top, writable);
        return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, e);
    }
    (*ret)->driver = sr->driver->owner;
    (*ret)->sr = sr->driver;
    (*ret)->place = sr->place;
    (*ret)->vdi = v;
    (*ret)->top = top;
    (*ret)->writable = writable;
    if (v)
        v->owner = *ret;
    return NULL;
}

void sr_stop_owner(struct sr *sr, struct owner *o)
{
    struct node *top = tree_find_node(&sr->tree, o->top->id.s);
    bool writable = o->writable;

    if (o->vdi)
        o->vdi->owner = NULL;
    free(o->guest);
    o->guest = NULL;
    o->driver->stop(o);
    sr_unpin(sr, top, writable);
    if (top->n_vdis == 0)
        sr_release_node(sr, top);
}
