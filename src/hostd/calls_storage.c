/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bodies of the storage calls of the host protocol. Arguments are checked here as if the caller
 * were hostile: ids must be UUIDs, sizes in range. Everything else is src/storage's.
 */
#include "base/list.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "base/world.h"
#include "gen/errors.h"
#include "hostd/calls.h"
#include "hostd/machine.h"
#include "proto/server.h"
#include "storage/sr_driver.h"
#include "storage/sr_mount.h"
#include "storage/vdi.h"

#include <errno.h>
#include <pthread.h>

#define VIRTUAL_SIZE_MAX  (64ll << 40)
#define DEVICE_CONFIG_MAX (8u << 10)

static struct storage *storage_of(struct host_call *c)
{
    struct machine *m = host_call_ctx(c);

    return m->storage;
}

static struct error *check_ids(const char *sr, const char *vdi)
{
    TRY(check_uuid("sr", sr));
    return check_uuid("vdi", vdi);
}

/* It is kept in a small file, which must be readable again. */
static struct error *spec_of(const char *uuid, const char *type,
                             const struct map_string_string *config, struct sr_spec *ret)
{
    size_t total = 0;

    TRY(check_uuid("sr", uuid));
    for (size_t i = 0; i < config->n; i++)
        total += strlen(config->k[i]) + strlen(config->v[i]) + 8;
    if (total > DEVICE_CONFIG_MAX)
        return err_invalid_value("device_config", "too long");
    *ret = (struct sr_spec){
        .uuid = uuid,
        .type = type,
        .device_config = {.n = config->n, .k = config->k, .v = config->v},
    };
    return NULL;
}

static struct map map_of(const struct map_string_string *m)
{
    return (struct map){.n = m->n, .k = m->k, .v = m->v};
}

struct error *host_sr_create(struct host_call *c, const struct host_sr_create_args *a,
                             struct host_sr_create_result *ret)
{
    struct sr_spec spec;

    TRY(spec_of(a->uuid, a->type, &a->device_config, &spec));
    return sr_create(storage_of(c), &spec);
}

struct error *host_sr_attach(struct host_call *c, const struct host_sr_attach_args *a,
                             struct host_sr_attach_result *ret)
{
    struct sr_spec spec;

    TRY(spec_of(a->uuid, a->type, &a->device_config, &spec));
    return sr_attach(storage_of(c), &spec);
}

struct error *host_sr_detach(struct host_call *c, const struct host_sr_detach_args *a,
                             struct host_sr_detach_result *ret)
{
    TRY(check_uuid("sr", a->uuid));
    return sr_detach(storage_of(c), a->uuid);
}

struct error *host_sr_destroy(struct host_call *c, const struct host_sr_destroy_args *a,
                              struct host_sr_destroy_result *ret)
{
    struct sr_spec spec;

    TRY(spec_of(a->uuid, a->type, &a->device_config, &spec));
    return sr_destroy(storage_of(c), &spec);
}

struct error *host_sr_stat(struct host_call *c, const struct host_sr_stat_args *a,
                           struct host_sr_stat_result *ret)
{
    struct sr_stat stat;

    TRY(check_uuid("sr", a->uuid));
    TRY(sr_stat(storage_of(c), a->uuid, &stat));
    *ret = (struct host_sr_stat_result){
        .size = stat.size, .used = stat.used, .virtual_allocation = stat.virtual_allocation};
    return NULL;
}

static struct map_string_string props_of(struct arena *a, json_t *props)
{
    size_t n = json_object_size(props), i = 0;
    const char **k = arena_array(a, const char *, n), **v = arena_array(a, const char *, n);
    const char *key;
    json_t *value;

    json_object_foreach (props, key, value) {
        k[i] = arena_strdup(a, key);
        v[i++] = arena_strdup(a, json_is_string(value) ? json_string_value(value) : "");
    }
    return (struct map_string_string){.n = n, .k = k, .v = v};
}

static struct host_vdi_rec vdi_rec_of(struct arena *a, const struct vdi_info *i)
{
    return (struct host_vdi_rec){
        .uuid = arena_strdup(a, i->uuid.s),
        .location = i->location ? arena_strdup(a, i->location) : "",
        .format = image_format_names[i->format],
        .virtual_size = i->virtual_size,
        .physical_utilisation = i->physical_utilisation,
        .read_only = i->read_only,
        .managed = i->managed,
        .is_snapshot = i->is_snapshot,
        .snapshot_of = arena_strdup(a, i->snapshot_of.s),
        .snapshot_time = i->snapshot_time,
        .parent = arena_strdup(a, i->parent.s),
        .sound = i->sound,
        .props = props_of(a, i->props),
    };
}

static struct error *stat_vdi(struct host_call *c, const char *sr, const char *vdi,
                              struct host_vdi_rec *ret)
{
    struct vdi_info info;

    TRY(vdi_stat(storage_of(c), sr, vdi, &info));
    *ret = vdi_rec_of(host_call_arena(c), &info);
    vdi_info_fini(&info);
    return NULL;
}

struct error *host_sr_scan(struct host_call *c, const struct host_sr_scan_args *a,
                           struct host_sr_scan_result *ret)
{
    struct arena *arena = host_call_arena(c);
    struct vdi_list_info list;

    TRY(check_uuid("sr", a->uuid));
    TRY(sr_scan(storage_of(c), a->uuid, &list));
    struct host_vdi_rec *vdis = arena_array(arena, struct host_vdi_rec, list.n);

    for (size_t i = 0; i < list.n; i++)
        vdis[i] = vdi_rec_of(arena, &list.v[i]);
    ret->vdis.n = list.n;
    ret->vdis.v = vdis;
    ret->complete = list.complete;
    ret->problems = arena_strdup(arena, list.problems ? list.problems : "");
    vdi_list_info_fini(&list);
    return NULL;
}

struct error *host_sr_roots(struct host_call *c, const struct host_sr_roots_args *a,
                            struct host_sr_roots_result *ret)
{
    const struct machine *m = host_call_ctx(c);
    size_t n = 0;

    while (sr_type_name(m->storage, n))
        n++;
    const char **types = arena_array(host_call_arena(c), const char *, n);

    for (size_t i = 0; i < n; i++)
        types[i] = sr_type_name(m->storage, i);
    ret->roots = (struct set_string){.n = m->n_roots, .v = m->roots};
    ret->types = (struct set_string){.n = n, .v = types};
    return NULL;
}

static struct host_place_rec place_rec_of(struct arena *a, const struct sr_place_found *f)
{
    const char **word = arena_array(a, const char *, 2);

    word[0] = arena_strdup(a, f->key ? f->key : "");
    word[1] = arena_strdup(a, f->value ? f->value : "");
    return (struct host_place_rec){
        .configuration = {.n = f->key != NULL, .k = &word[0], .v = &word[1]},
        .complete = f->complete,
        .sr = arena_strdup(a, f->sr.s),
        .size = f->size,
        .free = f->free,
        .what = arena_strdup(a, f->what ? f->what : ""),
    };
}

struct error *host_sr_probe(struct host_call *c, const struct host_sr_probe_args *a,
                            struct host_sr_probe_result *ret)
{
    struct arena *arena = host_call_arena(c);
    const struct uuid_text any = uuid_random();
    struct sr_places_found found = {0};
    struct sr_spec spec;

    TRY(spec_of(any.s, a->type, &a->device_config, &spec));
    struct error *e = sr_probe(storage_of(c), &spec, &found);
    struct host_place_rec *places = arena_array(arena, struct host_place_rec, found.v.n);

    for (size_t i = 0; i < found.v.n; i++)
        places[i] = place_rec_of(arena, &found.v.v[i]);
    ret->places.n = found.v.n;
    ret->places.v = places;
    sr_places_found_fini(&found);
    return e;
}

static struct error *parse_format(const char *name, int *ret)
{
    enum image_format f;

    *ret = -1;
    if (!*name)
        return NULL;
    if (!image_format_parse(name, &f))
        return err_invalid_value("format", name);
    *ret = (int)f;
    return NULL;
}

static struct error *check_size(int64_t size)
{
    if (size > 0 && size <= VIRTUAL_SIZE_MAX)
        return NULL;
    return sr_failure(SR_FAILURE_VDI_SIZE, "size must be between 1 and %lld bytes",
                      (long long)VIRTUAL_SIZE_MAX);
}

struct error *host_vdi_create(struct host_call *c, const struct host_vdi_create_args *a,
                              struct host_vdi_create_result *ret)
{
    const struct map props = map_of(&a->props);
    int format;

    TRY(check_ids(a->sr, a->uuid));
    TRY(check_size(a->virtual_size));
    TRY(parse_format(a->format, &format));
    TRY(vdi_create(storage_of(c), a->sr, a->uuid, a->virtual_size, format, &props));
    return stat_vdi(c, a->sr, a->uuid, &ret->vdi);
}

struct error *host_vdi_destroy(struct host_call *c, const struct host_vdi_destroy_args *a,
                               struct host_vdi_destroy_result *ret)
{
    TRY(check_ids(a->sr, a->uuid));
    return vdi_destroy(storage_of(c), a->sr, a->uuid);
}

/* Without names of its own it has those of its source, so that an SR explains itself elsewhere. */
static struct error *props_or_like(struct host_call *c, const struct map_string_string *given,
                                   const char *sr, const char *vdi, struct map *ret)
{
    struct vdi_info info;

    *ret = map_of(given);
    if (given->n)
        return NULL;
    TRY(vdi_stat(storage_of(c), sr, vdi, &info));
    struct map_string_string props = props_of(host_call_arena(c), info.props);

    *ret = map_of(&props);
    vdi_info_fini(&info);
    return NULL;
}

struct error *host_vdi_snapshot(struct host_call *c, const struct host_vdi_snapshot_args *a,
                                struct host_vdi_snapshot_result *ret)
{
    struct map props;

    TRY(check_ids(a->sr, a->uuid));
    TRY(check_uuid("snapshot", a->snapshot));
    TRY(props_or_like(c, &a->props, a->sr, a->uuid, &props));
    TRY(vdi_snapshot(storage_of(c), a->sr, a->uuid, a->snapshot, now_s(), &props));
    TRY(stat_vdi(c, a->sr, a->uuid, &ret->vdi));
    return stat_vdi(c, a->sr, a->snapshot, &ret->snapshot);
}

struct error *host_vdi_clone(struct host_call *c, const struct host_vdi_clone_args *a,
                             struct host_vdi_clone_result *ret)
{
    struct map props;

    TRY(check_ids(a->sr, a->uuid));
    TRY(check_uuid("clone", a->clone));
    TRY(props_or_like(c, &a->props, a->sr, a->uuid, &props));
    TRY(vdi_clone(storage_of(c), a->sr, a->uuid, a->clone, &props));
    TRY(stat_vdi(c, a->sr, a->uuid, &ret->vdi));
    return stat_vdi(c, a->sr, a->clone, &ret->clone);
}

struct error *host_vdi_revert(struct host_call *c, const struct host_vdi_revert_args *a,
                              struct host_vdi_revert_result *ret)
{
    TRY(check_ids(a->sr, a->uuid));
    TRY(check_uuid("snapshot", a->snapshot));
    TRY(vdi_revert(storage_of(c), a->sr, a->uuid, a->snapshot));
    return stat_vdi(c, a->sr, a->uuid, &ret->vdi);
}

/* One of machine.copies: another call can ask how far it is or end it. */
struct copy {
    struct list link;
    struct machine *machine;
    const char *uuid;
    double done;
    bool cancel;
};

static bool copy_cancelled(void *arg)
{
    struct copy *copy = arg;

    pthread_mutex_lock(&copy->machine->copies_lock);
    bool cancel = copy->cancel;

    pthread_mutex_unlock(&copy->machine->copies_lock);
    return cancel;
}

static void copy_progress(void *arg, double fraction)
{
    struct copy *copy = arg;

    pthread_mutex_lock(&copy->machine->copies_lock);
    copy->done = fraction;
    pthread_mutex_unlock(&copy->machine->copies_lock);
}

static struct error *copy_vdi(struct host_call *c, const struct host_vdi_copy_args *a,
                              const struct map *props)
{
    struct machine *m = host_call_ctx(c);
    struct copy copy = {.machine = m, .uuid = a->copy};
    const struct image_progress progress = {
        .cancelled = copy_cancelled, .progress = copy_progress, .arg = &copy};

    pthread_mutex_lock(&m->copies_lock);
    list_append(&m->copies, &copy.link);
    pthread_mutex_unlock(&m->copies_lock);
    struct error *e = vdi_copy(m->storage, a->sr, a->uuid, a->to_sr, a->copy, -1, props, &progress);

    pthread_mutex_lock(&m->copies_lock);
    list_remove(&copy.link);
    pthread_mutex_unlock(&m->copies_lock);
    return e;
}

struct error *host_vdi_copy(struct host_call *c, const struct host_vdi_copy_args *a,
                            struct host_vdi_copy_result *ret)
{
    const struct map_string_string none = {0};
    struct map props;

    TRY(check_ids(a->sr, a->uuid));
    TRY(check_ids(a->to_sr, a->copy));
    TRY(props_or_like(c, &none, a->sr, a->uuid, &props));
    TRY(copy_vdi(c, a, &props));
    return stat_vdi(c, a->to_sr, a->copy, &ret->vdi);
}

struct error *host_vdi_copy_progress(struct host_call *c,
                                     const struct host_vdi_copy_progress_args *a,
                                     struct host_vdi_copy_progress_result *ret)
{
    struct machine *m = host_call_ctx(c);
    struct copy *copy;

    TRY(check_uuid("copy", a->copy));
    *ret = (struct host_vdi_copy_progress_result){0};
    pthread_mutex_lock(&m->copies_lock);
    list_foreach (copy, &m->copies, link) {
        if (!streq(copy->uuid, a->copy))
            continue;
        copy->cancel |= a->cancel;
        ret->running = true;
        ret->done = copy->done;
    }
    pthread_mutex_unlock(&m->copies_lock);
    return NULL;
}

struct error *host_vdi_resize(struct host_call *c, const struct host_vdi_resize_args *a,
                              struct host_vdi_resize_result *ret)
{
    int64_t size;

    TRY(check_ids(a->sr, a->uuid));
    TRY(check_size(a->virtual_size));
    TRY(vdi_resize(storage_of(c), a->sr, a->uuid, a->virtual_size, &size));
    return stat_vdi(c, a->sr, a->uuid, &ret->vdi);
}

struct error *host_vdi_stat(struct host_call *c, const struct host_vdi_stat_args *a,
                            struct host_vdi_stat_result *ret)
{
    TRY(check_ids(a->sr, a->uuid));
    return stat_vdi(c, a->sr, a->uuid, &ret->vdi);
}

struct error *host_vdi_set_props(struct host_call *c, const struct host_vdi_set_props_args *a,
                                 struct host_vdi_set_props_result *ret)
{
    const struct map props = map_of(&a->props);

    TRY(check_ids(a->sr, a->uuid));
    return vdi_set_props(storage_of(c), a->sr, a->uuid, &props);
}

/*
 * A handle is "sr/vdi/use/w" or ".../r": all that is needed to find the export again, also after a
 * restart of this program.
 */
struct handle {
    const char *sr, *vdi, *use;
    bool writable;
};

#define HANDLE_LEN (3 * (UUID_LEN + 1) + 1)

static struct error *parse_handle(struct arena *a, const char *text, struct handle *ret)
{
    const char *ids[3];

    if (strlen(text) != HANDLE_LEN)
        return err_invalid_value("handle", text);
    for (int i = 0; i < 3; i++) {
        const char *at = text + i * (UUID_LEN + 1);

        ids[i] = arena_memdup0(a, at, UUID_LEN);
        if (!uuid_is_plain(ids[i]) || at[UUID_LEN] != '/')
            return err_invalid_value("handle", text);
    }
    if (!strchr("rw", text[HANDLE_LEN - 1]))
        return err_invalid_value("handle", text);
    *ret = (struct handle){
        .sr = ids[0], .vdi = ids[1], .use = ids[2], .writable = text[HANDLE_LEN - 1] == 'w'};
    return NULL;
}

static void lend(struct machine *m, const char *handle)
{
    pthread_mutex_lock(&m->lent_lock);
    if (!strmap_find(&m->lent, handle)) {
        char *own = xstrdup(handle);

        strmap_set(&m->lent, own, own);
    }
    pthread_mutex_unlock(&m->lent_lock);
}

static void give_back(struct machine *m, const char *handle)
{
    pthread_mutex_lock(&m->lent_lock);
    free(strmap_remove(&m->lent, handle));
    pthread_mutex_unlock(&m->lent_lock);
}

/* NULL: none is lent. The caller frees it. */
static char *take_one(struct machine *m)
{
    size_t pos = 0;
    const char *key;

    pthread_mutex_lock(&m->lent_lock);
    char *handle = strmap_next(&m->lent, &pos, &key);

    if (handle)
        strmap_remove(&m->lent, handle);
    pthread_mutex_unlock(&m->lent_lock);
    return handle;
}

void handles_forget(struct machine *m)
{
    char *handle;

    while ((handle = take_one(m)))
        free(handle);
    strmap_fini(&m->lent);
}

static struct error *give_connection(struct host_call *c, const struct handle *h,
                                     const char *handle)
{
    int fd;

    TRY(vdi_nbd(storage_of(c), h->sr, h->vdi, h->use, h->writable, &fd));
    lend(host_call_ctx(c), handle);
    host_call_give_fd(c, fd);
    return NULL;
}

struct error *host_vdi_nbd(struct host_call *c, const struct host_vdi_nbd_args *a,
                           struct host_vdi_nbd_result *ret)
{
    struct arena *arena = host_call_arena(c);
    struct uuid_text use = uuid_random();
    struct handle h = {.sr = a->sr, .vdi = a->uuid, .use = use.s, .writable = a->writable};

    TRY(check_ids(a->sr, a->uuid));
    ret->handle = arena_printf(arena, "%s/%s/%s/%c", h.sr, h.vdi, h.use, h.writable ? 'w' : 'r');
    TRY(give_connection(c, &h, ret->handle));
    if (host_call_cancelled(c)) {
        /* Nobody would ever close what nobody has heard of. */
        give_back(host_call_ctx(c), ret->handle);
        TRY(vdi_nbd_close(storage_of(c), h.sr, h.use));
        return error_errno(ECANCELED, "the caller is gone");
    }
    ret->export = arena_strdup(arena, use.s);
    return NULL;
}

struct error *host_vdi_nbd_attached(struct host_call *c, const struct host_vdi_nbd_attached_args *a,
                                    struct host_vdi_nbd_attached_result *ret)
{
    struct handle h;

    TRY(parse_handle(host_call_arena(c), a->handle, &h));
    return vdi_nbd_attached(storage_of(c), h.sr, h.use);
}

struct error *host_vdi_nbd_close(struct host_call *c, const struct host_vdi_nbd_close_args *a,
                                 struct host_vdi_nbd_close_result *ret)
{
    struct handle h;

    TRY(parse_handle(host_call_arena(c), a->handle, &h));
    give_back(host_call_ctx(c), a->handle);
    return vdi_nbd_close(storage_of(c), h.sr, h.use);
}

struct error *host_vdi_nbd_close_all(struct host_call *c,
                                     const struct host_vdi_nbd_close_all_args *a,
                                     struct host_vdi_nbd_close_all_result *ret)
{
    struct error *first = NULL;
    struct handle h;

    for (;;) {
        _cleanup_free_ char *handle = take_one(host_call_ctx(c));

        if (!handle)
            return first;
        struct error *e = parse_handle(host_call_arena(c), handle, &h);

        if (!e)
            e = vdi_nbd_close(storage_of(c), h.sr, h.use);
        if (first)
            error_free(e);
        else
            first = e;
    }
}
