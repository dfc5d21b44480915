/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The libxl driver as a whole: opening, listing, and its table of operations. */
#include "base/io.h"
#include "base/mem.h"
#include "hv/libxl/xl.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <xenstore.h>

#define RESTARTERS 8

static struct error *fill_caps(struct xl *x)
{
    const libxl_version_info *v = libxl_get_version_info(x->look->ctx);
    int max = 0;

    if (!v)
        return xl_check(ERROR_FAIL, "cannot ask Xen for its version");
    x->version =
        xasprintf("%d.%d%s", v->xen_version_major, v->xen_version_minor, v->xen_version_extra);
    x->capabilities = xstrdup(v->capabilities);
    max = libxl_get_max_cpus(x->look->ctx);
    int scheduler = libxl_get_scheduler(x->look->ctx);

    x->caps = (struct hv_caps){
        .driver = "libxl",
        .version = x->version,
        .accelerator = "xen",
        .why = "this machine runs Xen",
        .features = HV_CAN_SUSPEND | HV_CAN_HOTPLUG_DISK | HV_CAN_HOTPLUG_NIC |
                    HV_CAN_HOTPLUG_VCPU | HV_CAN_BALLOON | HV_CAN_VNC | HV_CAN_AGENT | HV_CAN_PV |
                    HV_CAN_SCHEDULE,
        .max_vcpus = MAX(1, MIN(MAX(max, 32), HV_MAX_VCPUS)),
        .scheduler = scheduler < 0 ? "" : libxl_scheduler_to_string((libxl_scheduler)scheduler),
        .block_devices = true,
    };
    if (strstr(x->capabilities, "hvm"))
        x->caps.features |= HV_CAN_PVH;
    if (access(XL_UEFI_FIRMWARE, R_OK) == 0)
        x->caps.features |= HV_CAN_UEFI;
    return NULL;
}

static struct error *open_parts(struct xl *x)
{
    xl_guard_forks();
    TRY(xl_ctx_open(&x->ops));
    TRY(xl_ctx_open(&x->look));
    TRY(xl_ctx_open(&x->events));
    TRY(fill_caps(x));
    x->wake = eventfd(0, EFD_CLOEXEC);
    x->xs = xs_open(0);
    if (!x->xs || x->wake < 0)
        return error_errno(errno, "cannot reach xenstore");
    TRY(workers_new("restart", RESTARTERS, HV_MAX_VCPUS, &x->workers));
    TRY(console_hub_start(&x->hub));
    TRY(xl_models_start(x));
    TRY(xl_adopt_all(x));
    return xl_events_start(x);
}

/* The process ends when this fails, and when it is closed: nothing is taken apart. */
static struct error *xl_open(const struct hv_config *config, struct hv **ret)
{
    struct xl *x = xnew(struct xl);

    x->state_dir = config->state_dir;
    x->on_event = config->on_event;
    x->ctx = config->ctx;
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    TRY(open_parts(x));
    *ret = &x->hv;
    return NULL;
}

static void xl_close(struct hv *hv)
{
}

static const struct hv_caps *xl_probe(struct hv *hv)
{
    return &xl_of(hv)->caps;
}

/* ---- asking ---- */

/* With the lock. */
static void describe(struct xdom *d, struct arena *a, struct hv_domain *ret)
{
    const struct hv_start *s = &d->start;
    int *disks = arena_array(a, int, s->n_disks), *nics = arena_array(a, int, s->n_nics);
    libxl_dominfo info;

    for (size_t i = 0; i < s->n_disks; i++)
        disks[i] = s->disks[i].device;
    for (size_t i = 0; i < s->n_nics; i++)
        nics[i] = s->nics[i].device;
    *ret = (struct hv_domain){.uuid = arena_strdup(a, d->uuid),
                              .domid = d->domid,
                              .state = d->state,
                              .stop = d->stop,
                              .started = d->started,
                              .memory_max = s->memory_max,
                              .memory_actual = s->memory_target,
                              .vcpus = s->vcpus,
                              .vcpus_max = s->vcpus_max,
                              .disks = disks,
                              .n_disks = s->n_disks,
                              .nics = nics,
                              .n_nics = s->n_nics};
    libxl_dominfo_init(&info);
    const struct xl_ctx *c = xl_quick_begin(d->xl);

    if (d->domid && !libxl_domain_info(c->ctx, &info, (uint32_t)d->domid))
        ret->memory_actual = (int64_t)info.current_memkb << 10;
    xl_quick_end();
    libxl_dominfo_dispose(&info);
}

static struct error *xl_list(struct hv *hv, struct arena *a, struct hv_domain **ret, size_t *ret_n)
{
    struct xl *x = xl_of(hv);
    struct xdom *d;
    size_t pos = 0, n = 0;

    pthread_mutex_lock(&x->lock);
    struct hv_domain *all = arena_array(a, struct hv_domain, x->domains.n + 1);

    while ((d = strmap_next(&x->domains, &pos, NULL))) {
        if (d->ready)
            describe(d, a, &all[n++]);
    }
    pthread_mutex_unlock(&x->lock);
    *ret = all;
    *ret_n = n;
    return NULL;
}

static struct error *xl_query(struct hv *hv, const char *uuid, struct arena *a,
                              struct hv_domain *ret)
{
    _cleanup_xdom_ struct xdom *d = NULL;

    TRY(xdom_find(hv, uuid, &d));
    pthread_mutex_lock(&d->xl->lock);
    describe(d, a, ret);
    pthread_mutex_unlock(&d->xl->lock);
    return NULL;
}

const struct hv_driver xl_driver = {
    .name = "libxl",
    .open = xl_open,
    .close = xl_close,
    .probe = xl_probe,
    .host = xl_host,
    .dmesg = xl_dmesg,
    .list = xl_list,
    .query = xl_query,
    .start = xl_start,
    .unpause = xl_unpause,
    .pause = xl_pause,
    .signal = xl_signal,
    .reset = xl_reset,
    .destroy = xl_destroy,
    .forget = xl_forget,
    .suspend = xl_suspend,
    .set_memory = xl_set_memory,
    .set_vcpus = xl_set_vcpus,
    .set_scheduling = xl_set_scheduling,
    .set_on_reboot = xl_set_on_reboot,
    .attach_disk = xl_attach_disk,
    .detach_disk = xl_detach_disk,
    .change_media = xl_change_media,
    .attach_nic = xl_attach_nic,
    .detach_nic = xl_detach_nic,
    .stats = xl_stats,
    .console = xl_console,
    .guest_info = xl_guest_info,
};
