/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and ending Xen domains. */
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wait.h"
#include "base/world.h"
#include "hv/libxl/config.h"
#include "hv/libxl/xl.h"

#include <errno.h>

#define RECORD "{\"driver\":\"libxl\",\"version\":1}"
#define END_WAIT_US                                                                                \
    (300 * SECOND_US) /* for a start under way; a loaded host fills memory slowly                  \
                       */

/* ---- create ---- */

/* Xen wants names that differ; people want to read theirs. */
static char *unique_name(struct xdom *d)
{
    const char *name = d->start.name;
    bool taken = strspn(name, "0123456789") == strlen(name); /* reads as a domid, or is empty */
    const struct xdom *other;
    size_t pos = 0;
    uint32_t domid;

    /* Two that are being made at once both see each other here. */
    pthread_mutex_lock(&d->xl->lock);
    while ((other = strmap_next(&d->xl->domains, &pos, NULL)))
        taken |= other != d && streq(other->start.name, name);
    pthread_mutex_unlock(&d->xl->lock);
    taken |= libxl_name_to_domid(xl_quick_begin(d->xl)->ctx, name, &domid) == 0;
    xl_quick_end();
    return xstrdup(taken ? d->uuid : name);
}

/* Said before it is tried: libxl's own answer is a number, after seconds. */
static struct error *check_memory(struct xdom *d, libxl_domain_config *config)
{
    uint64_t need = 0, free_kib = 0;
    char needed[32], available[32];

    libxl_ctx *c = xl_quick_begin(d->xl)->ctx;
    int rc = libxl_domain_need_memory(c, config, (uint32_t)INVALID_DOMID, &need);

    if (!rc)
        rc = libxl_get_free_memory(c, &free_kib);
    xl_quick_end();
    TRY(xl_check(rc, "cannot ask for free memory"));
    if (need <= free_kib)
        return NULL;
    snprintf(needed, sizeof(needed), "%llu", (unsigned long long)need << 10);
    snprintf(available, sizeof(available), "%llu", (unsigned long long)free_kib << 10);
    return error_api("HOST_NOT_ENOUGH_FREE_MEMORY", 2, needed, available);
}

static struct error *make(struct xdom *d, int resume_fd, uint32_t *ret)
{
    _cleanup_free_ char *name = unique_name(d);
    struct xl_config_in in = {.start = &d->start,
                              .name = name,
                              .dir = d->dir,
                              .scripts = XENOLITH_LIBEXEC,
                              .uefi = XL_UEFI_FIRMWARE};
    libxl_domain_restore_params params;
    libxl_domain_config config;
    int rc = 0;

    xl_config(&in, &config);
    struct error *e = check_memory(d, &config);

    *ret = (uint32_t)INVALID_DOMID;
    if (!e && resume_fd >= 0) {
        libxl_domain_restore_params_init(&params);
        params.stream_version =
            2; /* what libxl_domain_suspend writes; unsaid, an old one is taken */
        rc = libxl_domain_create_restore(d->xl->ops->ctx, &config, ret, resume_fd, -1, &params,
                                         NULL, NULL);
        libxl_domain_restore_params_dispose(&params);
    } else if (!e) {
        rc = libxl_domain_create_new(d->xl->ops->ctx, &config, ret, NULL, NULL);
    }
    if (!e)
        e = xl_check(rc, "cannot create the domain");
    libxl_domain_config_dispose(&config);
    return e;
}

/* A Xen domain for d, paused; on failure there is none. */
static struct error *create(struct xdom *d, int resume_fd)
{
    uint32_t domid;

    struct error *e = make(d, resume_fd, &domid);

    if (e) {
        if (domid != (uint32_t)INVALID_DOMID)
            libxl_domain_destroy(d->xl->ops->ctx, domid, NULL);
        return e;
    }
    pthread_mutex_lock(&d->xl->lock);
    d->domid = domid;
    d->state = HV_PAUSED;
    d->stop = HV_STOP_NONE;
    d->started = now_s();
    pthread_mutex_unlock(&d->xl->lock);
    e = xdom_write(d);
    if (!e)
        e = xdom_listen(d);
    if (e)
        IGNORE_ERROR(xdom_end(d));
    return e;
}

struct error *xdom_end(struct xdom *d)
{

    xdom_unlisten(d);
    console_close(TAKE_PTR(d->console));
    if (!d->domid)
        return NULL;
    int rc = libxl_domain_destroy(d->xl->ops->ctx, (uint32_t)d->domid, NULL);

    if (rc == ERROR_DOMAIN_NOTFOUND)
        rc = 0;
    TRY(xl_check(rc, "cannot destroy the domain"));
    pthread_mutex_lock(&d->xl->lock);
    d->domid = 0;
    pthread_mutex_unlock(&d->xl->lock);
    return NULL;
}

struct error *xdom_relaunch(struct xdom *d)
{

    TRY(xdom_end(d));
    struct error *e = create(d, -1);

    if (!e)
        e = xl_check(libxl_domain_unpause(d->xl->ops->ctx, (uint32_t)d->domid, NULL),
                     "cannot unpause");
    pthread_mutex_lock(&d->xl->lock);
    d->ran = true;
    xdom_set_state(d, e ? HV_STOPPED : HV_RUNNING, e ? HV_STOP_LOST : HV_STOP_NONE);
    if (!e)
        xdom_emit(d, HV_EVENT_REBOOTED, -1);
    pthread_mutex_unlock(&d->xl->lock);
    return e ? e : xdom_write(d);
}

struct error *xl_reset(struct hv *hv, const char *uuid)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter(hv, uuid, &d));
    return xdom_relaunch(d);
}

/* ---- start ---- */

/* Puts a new domain into the table, not ready yet; or finds the one a repeated call asks for. */
static struct error *reserve(struct xl *x, const struct hv_start *p, struct xdom **ret,
                             bool *ret_exists)
{
    struct error *e = NULL;

    pthread_mutex_lock(&x->lock);
    struct xdom *d = strmap_find(&x->domains, p->uuid);

    *ret_exists = d != NULL;
    if (d && (!d->ready || d->ran || d->state != HV_PAUSED)) {
        e = error_api("DUPLICATE_VM", 1, p->uuid);
    } else if (!d) {
        d = xdom_new(x, p->uuid);
        xdom_keep_start(d, p);
        strmap_set(&x->domains, d->uuid, d);
    }
    if (!e)
        *ret = xdom_ref(d);
    pthread_mutex_unlock(&x->lock);
    return e;
}

/* Out of the table; the caller still has its own reference. */
static void unlist(struct xdom *d)
{
    struct xl *x = d->xl;

    pthread_mutex_lock(&x->lock);
    bool listed = strmap_find(&x->domains, d->uuid) == d;

    if (listed)
        strmap_remove(&x->domains, d->uuid);
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    if (listed)
        xdom_unref(d);
}

static struct error *launch(struct xdom *d, int resume_fd)
{
    TRY(io_mkdir_p(d->dir, 0700));
    TRY(xdom_write(d));
    TRY(create(d, resume_fd));
    pthread_mutex_lock(&d->xl->lock);
    bool unwanted = d->dying;

    if (!unwanted) {
        d->ready = true;
        d->ran = resume_fd >= 0;
        xdom_emit(d, HV_EVENT_STATE, -1);
    }
    pthread_mutex_unlock(&d->xl->lock);
    if (!unwanted)
        return NULL;
    IGNORE_ERROR(xdom_end(d));
    return error_errno(ECANCELED, "destroyed while it started");
}

struct error *xl_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                       struct hv_started *ret)
{
    _cleanup_xdom_ struct xdom *d = NULL;
    bool exists;

    if (p->resume_fd >= 0 && !streq(p->record, RECORD))
        return error_text("the memory was not saved under Xen by this program");
    TRY(reserve(xl_of(hv), p, &d, &exists));
    if (!exists) {
        pthread_mutex_lock(&d->turn);
        struct error *e = launch(d, p->resume_fd);

        pthread_mutex_unlock(&d->turn);
        if (e) {
            xdom_remove_files(d);
            unlist(d);
            return error_prepend(e, "cannot start domain %s", p->uuid);
        }
    }
    *ret = (struct hv_started){.domid = d->domid, .record = arena_strdup(a, RECORD)};
    return NULL;
}

/* ---- destroy ---- */

/* A start under way, or another destroy, does the work; we wait for its end. With the lock. */
static struct error *await_gone(struct xl *x, struct xdom *d)
{
    int64_t deadline = mono_us() + END_WAIT_US;
    bool in_time = true;

    while (strmap_find(&x->domains, d->uuid) == d && in_time)
        in_time = cond_wait_until(&x->changed, &x->lock, deadline);
    return in_time ? NULL : error_errno(ETIMEDOUT, "domain %s does not end", d->uuid);
}

static struct error *end_and_unlist(struct xdom *d)
{
    pthread_mutex_lock(&d->turn);
    struct error *e = xdom_end(d);

    pthread_mutex_unlock(&d->turn);
    if (e) {
        pthread_mutex_lock(&d->xl->lock);
        d->dying = false;
        pthread_mutex_unlock(&d->xl->lock);
        return e;
    }
    xdom_remove_files(d);
    unlist(d);
    return NULL;
}

struct error *xl_destroy(struct hv *hv, const char *uuid)
{
    struct xl *x = xl_of(hv);
    struct error *e = NULL;

    pthread_mutex_lock(&x->lock);
    _cleanup_xdom_ struct xdom *d = strmap_find(&x->domains, uuid);

    if (d)
        xdom_ref(d);
    bool others = d && (!d->ready || d->dying);

    if (d)
        d->dying = true;
    if (others)
        e = await_gone(x, d);
    pthread_mutex_unlock(&x->lock);
    return d && !others ? end_and_unlist(d) : e;
}

struct error *xl_forget(struct hv *hv, const char *uuid)
{
    return NULL; /* nothing outlives the domain: OVMF has its variables in memory, and on the
                    guest's disk */
}
