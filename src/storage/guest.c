/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains owned by the QEMU of a guest. */

#include "storage/guest.h"

#include "base/io.h"
#include "base/log.h"
#include "storage/kernel_nbd.h"
#include "storage/owner_qemu.h"
#include "storage/tune.h"
#include "storage/vdi_internal.h"
#include "value/json.h"

#include <errno.h>

struct guest_disk_id {
    struct uuid_text sr;
    struct uuid_text vdi;
};

struct guest {
    char *id;
    struct qemu_process process;
    struct VEC(struct guest_disk_id) disks; /* under storage->lock */
};

static void guest_free(struct guest *g)
{
    qemu_process_fini(&g->process);
    vec_fini(&g->disks);
    free(g->id);
    free(g);
}

void guests_free(struct storage *s)
{
    size_t pos = 0;
    const char *key;
    struct guest *g;

    while ((g = strmap_next(&s->guests, &pos, &key))) {
        strmap_remove(&s->guests, key);
        guest_free(g);
    }
    strmap_fini(&s->guests);
}

static char *nbd_path(const struct storage *s, const char *guest)
{
    return xasprintf("%s/nbd-%s", s->config.run_dir, guest);
}

/* Guests live until guest_gone, which the caller does not run beside calls on the same guest. */
static struct guest *guest_find(struct storage *s, const char *id, bool make)
{
    pthread_mutex_lock(&s->lock);
    struct guest *g = strmap_find(&s->guests, id);
    if (!g && make) {
        g = xnew(struct guest);
        g->id = xstrdup(id);
        qemu_process_init(&g->process, nbd_path(s, id));
        strmap_set(&s->guests, g->id, g);
    }
    pthread_mutex_unlock(&s->lock);
    return g;
}

static void note_disk(struct storage *s, struct guest *g, const char *sr, const char *vdi)
{
    struct guest_disk_id d = {0};

    snprintf(d.sr.s, sizeof(d.sr.s), "%s", sr);
    snprintf(d.vdi.s, sizeof(d.vdi.s), "%s", vdi);
    pthread_mutex_lock(&s->lock);
    vec_add(&g->disks, d);
    pthread_mutex_unlock(&s->lock);
}

static void unnote_disk(struct storage *s, struct guest *g, const char *vdi)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < g->disks.n; i++) {
        if (streq(g->disks.v[i].vdi.s, vdi)) {
            vec_remove_fast(&g->disks, i);
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- the owner ---- */

static void guest_owner_stop(struct owner *o)
{
    free(container_of(o, struct qemu_owner, o));
}

static struct error *guest_export_add(struct owner *o, const char *name, bool writable)
{
    TRY(qemu_nbd_ready(container_of(o, struct qemu_owner, o)->process));
    return qemu_export_add(o, name, writable);
}

const struct owner_driver owner_guest_driver = {
    .stop = guest_owner_stop,
    .alive = qemu_owner_alive,
    .overlay_open = qemu_overlay_open,
    .overlay_switch = qemu_overlay_switch,
    .node_close = qemu_node_close,
    .commit = qemu_commit,
    .resize = qemu_resize,
    .export_add = guest_export_add,
    .export_remove = qemu_export_remove,
    .connect = qemu_connect,
};

static void make_owner(struct sr *sr, struct vdi *v, struct guest *g, bool writable)
{
    struct qemu_owner *q = xnew(struct qemu_owner);

    q->process = &g->process;
    q->o = (struct owner){.driver = &owner_guest_driver,
                          .sr = sr->driver,
                          .place = sr->place,
                          .vdi = v,
                          .top = v->node,
                          .writable = writable,
                          .guest = xstrdup(g->id)};
    v->owner = &q->o;
}

/* ---- opening ---- */

void guest_disk_fini(struct guest_disk *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->blockdev[i]);
    free(d->blockdev);
    *d = (struct guest_disk){0};
}

static void add_json(struct guest_disk *d, json_t *j)
{
    d->blockdev[d->n++] = json_dumps(j, JSON_COMPACT);
    json_decref(j);
}

static struct error *describe(struct sr *sr, const struct node *n, bool read_only,
                              struct guest_disk *d)
{
    char path[PATH_MAX];

    if (n->parent)
        TRY(describe(sr, n->parent, true, d));
    TRY(sr->driver->image_path(sr->place, n, path));
    add_json(d, graph_file_options(n, path));
    add_json(d, graph_format_options(n, true, read_only));
    return NULL;
}

/* Under this name the kernel knows the device, and a successor of ours the daemon behind it. */
static char *device_name(const char *guest, const char *vdi)
{
    return xasprintf("xenolith:%s:%s", guest, vdi);
}

static struct error *describe_disk(struct sr *sr, const struct vdi *v, struct guest_disk *ret)
{
    const struct node *n = v->node;
    struct guest_disk d = {.size = n->size, .read_only = !v->owner->writable};

    if (sr->storage->config.block_devices && sr->driver->image_path) {
        _cleanup_free_ char *name = device_name(v->owner->guest, v->uuid.s);

        if (!kernel_nbd_find(name, d.path))
            return sr_failure(SR_FAILURE_VDI_UNAVAILABLE, "its block device has gone");
        *ret = d;
        return NULL;
    }
    if (!sr->driver->image_path) {
        *ret = d; /* simulated: nothing to open */
        return NULL;
    }
    d.blockdev = xnew_array(char *, 2 * (size_t)node_depth(n));
    snprintf(d.node, sizeof(d.node), "%s", graph_name('n', n).s);
    struct error *e = describe(sr, n, d.read_only, &d);
    if (e) {
        guest_disk_fini(&d);
        return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, e);
    }
    *ret = d;
    return NULL;
}

/* ---- block devices ---- */

#define DEVICE_EXPORT "device"

struct error *guest_device_flush(const struct sr *sr, const struct owner *o)
{
    if (!sr->storage->config.block_devices || !o->guest)
        return NULL;
    _cleanup_free_ char *name = device_name(o->guest, o->vdi->uuid.s);

    return kernel_nbd_flush(name);
}

static struct error *make_device(struct vdi *v, const char *name)
{
    struct owner *o = v->owner;
    char path[KERNEL_NBD_PATH];
    int fd;

    TRY(o->driver->export_add(o, DEVICE_EXPORT, o->writable));
    TRY(o->driver->connect(o, &fd));
    return kernel_nbd_open(fd, DEVICE_EXPORT, name, path);
}

static struct error *start_for_device(struct sr *sr, struct vdi *v, struct guest *g, bool writable)
{
    _cleanup_free_ char *name = device_name(g->id, v->uuid.s);
    struct owner *o;

    TRY(sr_start_owner(sr, v->node, v, writable, &o));
    o->guest = xstrdup(g->id);
    struct error *e = o->driver->keep(o, name);

    if (!e)
        e = make_device(v, name);
    if (e) {
        sr_stop_owner(sr, o);
        return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, e);
    }
    return NULL;
}

static struct error *finish_snapshot(struct sr *sr, struct vdi *v, struct qmp *q);
static bool merge_is_recorded(void *arg, const char *job);

/* What a predecessor's change of the chain left half done is finished, as guest_connected does. */
static struct error *settle(struct sr *sr, struct vdi *v)
{
    struct qemu_process *p = container_of(v->owner, struct qemu_owner, o)->process;
    struct qmp *q;

    TRY(qemu_process_enter(p, &q));
    struct error *e = graph_end_jobs(q, merge_is_recorded, sr);

    if (!e)
        e = finish_snapshot(sr, v, q);
    qemu_process_leave(p);
    return e;
}

static struct error *adopt_for_device(struct sr *sr, struct vdi *v, struct guest *g, bool writable)
{
    _cleanup_free_ char *name = device_name(g->id, v->uuid.s);
    struct owner *o;

    TRY(sr_pin(sr, v->node, writable, v->uuid.s, "attach"));
    struct error *e = sr->driver->owner->adopt(&sr->place_config, name, &o);

    if (e) {
        sr_unpin(sr, v->node, writable);
        return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, e);
    }
    o->driver = sr->driver->owner;
    o->sr = sr->driver;
    o->place = sr->place;
    o->vdi = v;
    o->top = v->node;
    o->writable = writable;
    o->guest = xstrdup(g->id);
    v->owner = o;
    return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, settle(sr, v));
}

static struct error *take_disk(struct sr *sr, struct vdi *v, struct guest *g, bool writable,
                               bool adopt)
{
    struct owner *o = v->owner;

    if (o && o->guest && streq(o->guest, g->id) && o->writable == writable)
        return NULL;
    if (o && !o->guest && !o->driver->alive(o))
        sr_forget_owner(sr, o);
    if (v->owner)
        return vdi_in_use(v->uuid.s, "attach");
    if (writable) {
        TRY(sr_check_writable(sr));
        TRY(sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, sr_make_writable(sr, v)));
    }
    if (sr->driver->image_path && sr->storage->config.block_devices) {
        TRY(adopt ? adopt_for_device(sr, v, g, writable) : start_for_device(sr, v, g, writable));
    } else if (sr->driver->image_path) {
        TRY(sr_pin(sr, v->node, writable, v->uuid.s, "attach"));
        make_owner(sr, v, g, writable);
    } else {
        /* Simulated disks have a simulated owner, whoever uses them. */
        TRY(sr_start_owner(sr, v->node, v, writable, &o));
        o->guest = xstrdup(g->id);
    }
    note_disk(sr->storage, g, sr->uuid.s, v->uuid.s);
    return NULL;
}

struct error *guest_disk_open(struct storage *s, const char *guest, const char *sr_uuid,
                              const char *vdi, bool writable, bool adopt, struct guest_disk *ret)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    if (!uuid_is_valid(guest))
        return error_api("UUID_INVALID", 2, "VM", guest);
    TRY(sr_lock_vdi_idle(s, sr_uuid, vdi, &sr, &v));
    TRY(sr_failure_from(SR_FAILURE_UNAVAILABLE, sr->driver->check(sr->place)));
    TRY(take_disk(sr, v, guest_find(s, guest, true), writable, adopt));
    return describe_disk(sr, v, ret);
}

/* ---- closing ---- */

static void close_nodes(struct sr *sr, struct owner *o)
{
    if (!sr->driver->image_path || sr->storage->config.block_devices || !qemu_owner_alive(o))
        return;
    for (const struct node *n = o->top; n; n = n->parent)
        qemu_node_close(o, n);
}

/* Before the daemon behind it ends: whatever the kernel still holds is written. */
static void close_device(const char *name)
{
    struct error *e = kernel_nbd_close(name);

    if (e)
        log_and_free(LOG_ERROR, e, "block device of %s", name);
}

static void drop_device(const struct owner *o)
{
    _cleanup_free_ char *name = device_name(o->guest, o->vdi->uuid.s);

    close_device(name);
}

static struct error *give_back(struct storage *s, struct guest *g, const char *sr_uuid,
                               const char *vdi, bool close)
{
    _cleanup_sr_ struct sr *sr = NULL;

    unnote_disk(s, g, vdi);
    TRY(sr_lock(s, sr_uuid, &sr));
    struct vdi *v = tree_find_vdi(&sr->tree, vdi);
    while (v && sr_merge_touches(sr, v->node)) {
        sr_wait_merge(sr);
        v = tree_find_vdi(&sr->tree, vdi);
    }
    if (!v || !v->owner || !v->owner->guest || !streq(v->owner->guest, g->id))
        return NULL;
    if (s->config.block_devices)
        drop_device(v->owner);
    else if (close)
        close_nodes(sr, v->owner);
    sr_forget_owner(sr, v->owner);
    return NULL;
}

struct error *guest_disk_close(struct storage *s, const char *guest, const char *sr,
                               const char *vdi)
{
    struct guest *g = guest_find(s, guest, false);

    return g ? give_back(s, g, sr, vdi, true) : NULL;
}

void guest_disconnected(struct storage *s, const char *guest)
{
    struct guest *g = guest_find(s, guest, false);

    if (g)
        qemu_process_set_qmp(&g->process, NULL);
}

static void close_guest(struct storage *s, struct guest *g)
{
    qemu_process_set_qmp(&g->process, NULL);
    while (g->disks.n > 0) {
        struct guest_disk_id d = g->disks.v[g->disks.n - 1];
        IGNORE_ERROR(give_back(s, g, d.sr.s, d.vdi.s, false));
    }
    pthread_mutex_lock(&s->lock);
    strmap_remove(&s->guests, g->id);
    pthread_mutex_unlock(&s->lock);
    guest_free(g);
}

void guest_gone(struct storage *s, const char *guest)
{
    _cleanup_free_ char *path = nbd_path(s, guest);
    struct guest *g = guest_find(s, guest, false);

    /* Also if it ended while nobody looked: then a predecessor of this process has left it. */
    IGNORE_ERROR(io_unlink(path));
    if (g)
        close_guest(s, g);
    if (s->config.block_devices) {
        _cleanup_free_ char *prefix = device_name(guest, "");

        owner_daemon_end_kept(s->config.run_dir, s->config.loop, prefix, close_device);
    }
}

/* ---- connecting, and finishing what was cut off ---- */

/* A merge that waits for its end: the records decide. If the image that was to go is not below the
 * disk any more, they were written and the merge is to be ended. */
static bool merge_is_recorded(void *arg, const char *job)
{
    const struct sr *sr = arg;
    size_t pos = 0;
    const char *key;
    const struct node *n;

    while ((n = strmap_next(&sr->tree.nodes, &pos, &key))) {
        if (!node_is_unused(n) && streq(graph_name('c', n).s, job))
            return false;
    }
    return true;
}

/* A snapshot whose records were written: QEMU goes on in the new image now. */
static struct error *finish_snapshot(struct sr *sr, struct vdi *v, struct qmp *q)
{
    const struct node *top = v->node;
    char path[PATH_MAX];
    bool open = false;
    bool switched = false;

    TRY(graph_has(q, top, &open));
    if (!top->parent)
        return NULL;
    if (!open) {
        TRY(sr->driver->image_path(sr->place, top, path));
        TRY(graph_open(q, top, path, false, !v->owner->writable));
    } else {
        TRY(graph_is_overlay(q, top, &switched));
        if (switched)
            return NULL;
    }
    return graph_snapshot(q, top->parent, top);
}

static struct error *bring_together(struct storage *s, const struct guest_disk_id *d, struct qmp *q)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;

    TRY(sr_lock_vdi(s, d->sr.s, d->vdi.s, &sr, &v));
    if (!v->owner || !sr->driver->image_path)
        return NULL;
    TRY(graph_end_jobs(q, merge_is_recorded, sr));
    return finish_snapshot(sr, v, q);
}

struct known {
    struct VEC(struct graph_name) names;
};

static bool is_known(void *arg, const char *id)
{
    const struct known *k = arg;

    vec_foreach (n, &k->names) {
        if (streq(n->s + 1, id))
            return true;
    }
    return false;
}

static void add_known(struct storage *s, const struct guest_disk_id *d, struct known *k)
{
    _cleanup_sr_ struct sr *sr = NULL;
    struct vdi *v = NULL;
    struct error *e = sr_lock_vdi(s, d->sr.s, d->vdi.s, &sr, &v);

    if (e) {
        error_free(e);
        return;
    }
    for (const struct node *n = v->node; n; n = n->parent)
        vec_add(&k->names, graph_name('n', n));
}

static struct error *close_strays(struct storage *s, const struct guest *g, struct qmp *q)
{
    struct known k = {0};

    vec_foreach (d, &g->disks)
        add_known(s, d, &k);
    struct error *e = graph_prune(q, is_known, &k);
    vec_fini(&k.names);
    return e;
}

struct error *guest_connected(struct storage *s, const char *guest, struct qmp *q)
{
    struct guest *g = guest_find(s, guest, true);
    struct error *first = NULL;

    for (size_t i = 0; i < g->disks.n; i++) {
        struct error *e = bring_together(s, &g->disks.v[i], q);
        if (!first)
            first = e;
        else
            error_free(e);
    }
    if (!first)
        first = close_strays(s, g, q);
    qemu_process_set_qmp(&g->process, q);
    return sr_failure_from(SR_FAILURE_VDI_UNAVAILABLE, first);
}
