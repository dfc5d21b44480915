/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the processors of a running guest are scheduled. What it starts with: config.c. */
#include "base/mem.h"
#include "hv/libxl/config.h"
#include "hv/libxl/xl.h"

static struct error *set_number(struct xdom *d, const char *key, int value)
{
    libxl_domain_sched_params params;

    libxl_domain_sched_params_init(&params); /* "as it is", all of it */
    *(streq(key, "weight") ? &params.weight : &params.cap) = value;
    int rc = libxl_domain_sched_params_set(xl_quick_begin(d->xl)->ctx, (uint32_t)d->domid, &params);

    xl_quick_end();
    libxl_domain_sched_params_dispose(&params);
    return xl_check(rc, "cannot set the scheduling");
}

/* Xen takes no mask without a processor that is there, and tells nothing but a number. */
static bool has_processor(libxl_ctx *c, const libxl_bitmap *cpus)
{
    int n = libxl_get_online_cpus(c);

    for (int i = 0; i < n; i++) {
        if (libxl_bitmap_test(cpus, i))
            return true;
    }
    return false;
}

static struct error *set_mask(struct xdom *d, const char *text)
{
    libxl_bitmap cpus;
    int rc = 0;
    bool good = xl_read_mask(text, &cpus);
    libxl_ctx *c = xl_quick_begin(d->xl)->ctx;

    good = good && has_processor(c, &cpus);
    for (int i = 0; good && !rc && i < d->start.vcpus_max; i++)
        rc = libxl_set_vcpuaffinity(c, (uint32_t)d->domid, (uint32_t)i, &cpus, NULL);
    xl_quick_end();
    libxl_bitmap_dispose(&cpus);
    return good ? xl_check(rc, "cannot bind the processors")
                : error_api("INVALID_VALUE", 2, "mask", text);
}

/* For when it is started again by itself. */
static struct error *note(struct xdom *d, const char *key, const char *value)
{
    struct hv_pair *all = xnew_array(struct hv_pair, d->start.n_scheduling + 1);
    struct hv_start now = d->start;
    size_t n = 0;

    for (size_t i = 0; i < d->start.n_scheduling; i++) {
        if (!streq(d->start.scheduling[i].key, key))
            all[n++] = d->start.scheduling[i];
    }
    all[n++] = (struct hv_pair){key, value};
    now.scheduling = all;
    now.n_scheduling = n;
    pthread_mutex_lock(&d->xl->lock);
    xdom_keep_start(d, &now);
    pthread_mutex_unlock(&d->xl->lock);
    free(all);
    return xdom_write(d);
}

struct error *xl_set_scheduling(struct hv *hv, const char *uuid, const char *key, const char *value)
{
    _cleanup_xdom_turn_ struct xdom *d = NULL;

    TRY(xdom_enter_live(hv, uuid, &d));
    TRY(streq(key, "mask") ? set_mask(d, value) : set_number(d, key, (int)strtol(value, NULL, 10)));
    return note(d, key, value);
}
