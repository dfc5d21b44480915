/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains as counted objects: the table's entries, their state and their record. */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/libxl/xl.h"

#define RECORD_VERSION 1
#define RECORD_MAX     (1u << 20)

struct xdom *xdom_new(struct xl *x, const char *uuid)
{
    struct xdom *d = xnew(struct xdom);

    d->xl = x;
    d->refs = 1;
    d->model = -1;
    snprintf(d->uuid, sizeof(d->uuid), "%.36s", uuid);
    d->dir = xasprintf("%s/run/vm/%s", x->state_dir, uuid);
    pthread_mutex_init(&d->turn, NULL);
    arena_init(&d->arena);
    return d;
}

struct xdom *xdom_ref(struct xdom *d)
{
    d->refs++;
    return d;
}

void xdom_unref(struct xdom *d)
{
    struct xl *x = d->xl;

    pthread_mutex_lock(&x->lock);
    bool last = --d->refs == 0;

    pthread_mutex_unlock(&x->lock);
    if (!last)
        return;
    xdom_unlisten(d);
    console_close(d->console);
    pthread_mutex_destroy(&d->turn);
    arena_fini(&d->arena);
    free(d->dir);
    free(d);
}

struct error *xdom_find(struct hv *hv, const char *uuid, struct xdom **ret)
{
    struct xl *x = xl_of(hv);

    pthread_mutex_lock(&x->lock);
    struct xdom *d = strmap_find(&x->domains, uuid);

    if (d && !d->ready)
        d = NULL;
    if (d)
        xdom_ref(d);
    pthread_mutex_unlock(&x->lock);
    if (!d)
        return hv_no_domain(uuid);
    *ret = d;
    return NULL;
}

struct error *xdom_enter(struct hv *hv, const char *uuid, struct xdom **ret)
{
    struct xl *x = xl_of(hv);
    struct xdom *d;

    TRY(xdom_find(hv, uuid, &d));
    pthread_mutex_lock(&d->turn);
    pthread_mutex_lock(&x->lock);
    bool gone = d->dying;

    pthread_mutex_unlock(&x->lock);
    if (gone) {
        xdom_leave(&d);
        return hv_no_domain(uuid);
    }
    *ret = d;
    return NULL;
}

void xdom_leave(struct xdom **d)
{
    if (!*d)
        return;
    pthread_mutex_unlock(&(*d)->turn);
    xdom_unref(*d);
    *d = NULL;
}

struct error *xdom_enter_live(struct hv *hv, const char *uuid, struct xdom **ret)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter(hv, uuid, &d));
    pthread_mutex_lock(&d->xl->lock);
    enum hv_state state = d->state;
    enum hv_stop stop = d->stop;

    pthread_mutex_unlock(&d->xl->lock);
    if (state == HV_STOPPED)
        return error_text("domain %s has stopped (%s)", uuid, hv_stop_names[stop]);
    *ret = TAKE_PTR(d);
    return NULL;
}

struct xdom *xdom_by_domid(struct xl *x, int64_t domid)
{
    struct xdom *d;
    size_t pos = 0;

    while ((d = strmap_next(&x->domains, &pos, NULL))) {
        if (d->domid == domid)
            return d;
    }
    return NULL;
}

void xdom_emit(struct xdom *d, enum hv_event_kind kind, int device)
{
    struct hv_event ev = {.kind = kind,
                          .uuid = d->uuid,
                          .state = d->state,
                          .stop = d->stop,
                          .device = device,
                          .memory_actual = d->start.memory_target};

    if (d->ready && !d->dying && d->xl->on_event)
        d->xl->on_event(d->xl->ctx, &ev);
}

void xdom_set_state(struct xdom *d, enum hv_state state, enum hv_stop stop)
{
    bool changed = d->state != state || d->stop != stop;

    d->state = state;
    d->stop = stop;
    if (changed)
        xdom_emit(d, HV_EVENT_STATE, -1);
    pthread_cond_broadcast(&d->xl->changed);
}

/* ---- the record ---- */

/* Through the codec, which copies everything. */
void xdom_keep_start(struct xdom *d, const struct hv_start *p)
{
    _cleanup_json_ json_t *j = hv_to_json(&hv_start_shape, p);
    struct arena fresh;

    arena_init(&fresh);
    IGNORE_ERROR(hv_from_json(&fresh, &hv_start_shape, j, &d->start));
    arena_fini(&d->arena);
    d->arena = fresh;
}

struct error *xdom_write(struct xdom *d)
{
    _cleanup_free_ char *path = xasprintf("%s/xen.json", d->dir);
    _cleanup_json_ json_t *j = json_pack(
        "{s:i, s:s, s:I, s:b, s:I, s:i, s:o}", "version", RECORD_VERSION, "uuid", d->uuid, "domid",
        (json_int_t)d->domid, "ran", (int)d->ran, "started", (json_int_t)d->started, "stop",
        (int)d->stop, "start", hv_to_json(&hv_start_shape, &d->start));
    _cleanup_free_ char *text = json_dumps(j, JSON_INDENT(1));

    return io_replace_file(path, text, strlen(text), 0600);
}

struct error *xdom_read(struct xdom *d)
{
    _cleanup_free_ char *path = xasprintf("%s/xen.json", d->dir);
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_json_ json_t *j = NULL;

    TRY(io_read_file(path, RECORD_MAX, &text));
    TRY(json_parse(str_cstr(&text), text.len, &j));
    const char *uuid = json_string_value(json_object_get(j, "uuid"));

    if (json_integer_value(json_object_get(j, "version")) != RECORD_VERSION || !uuid ||
        !streq(uuid, d->uuid))
        return error_text("%s is not a record of this program", path);
    TRY(hv_from_json(&d->arena, &hv_start_shape, json_object_get(j, "start"), &d->start));
    d->domid = json_integer_value(json_object_get(j, "domid"));
    d->ran = json_is_true(json_object_get(j, "ran"));
    d->started = json_integer_value(json_object_get(j, "started"));
    json_int_t stop = json_integer_value(json_object_get(j, "stop"));

    d->stop = stop < 0 || stop >= HV_STOP_MAX ? HV_STOP_NONE : (enum hv_stop)stop;
    return NULL;
}

void xdom_remove_files(struct xdom *d)
{
    static const char *const names[] = {"xen.json", "xen.json.tmp", "console", "vnc"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", d->dir, names[i]);

        IGNORE_ERROR(io_unlink(path));
    }
    rmdir(d->dir);
}
