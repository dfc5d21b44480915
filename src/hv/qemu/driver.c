/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The qemu driver as a whole: opening, listing, and its table of operations. */
#include "base/io.h"
#include "base/mem.h"
#include "hv/qemu/domain.h"
#include "hv/qemu/probe.h"

static struct error *fill_caps(struct qemu *q)
{
    struct kvm_probe kvm;
    _cleanup_free_ char *run = xasprintf("%s/run", q->state_dir);

    TRY(io_mkdir_p(run, 0700));
    TRY(hv_qemu_version(&q->version));
    TRY(kvm_probe(q->state_dir, q->version, &kvm));
    q->why = kvm.why;
    q->caps = (struct hv_caps){
        .driver = "qemu",
        .version = q->version,
        .accelerator = kvm.works ? "kvm" : "tcg",
        .why = q->why,
        .features = HV_CAN_SUSPEND | HV_CAN_HOTPLUG_DISK | HV_CAN_HOTPLUG_NIC |
                    HV_CAN_HOTPLUG_VCPU | HV_CAN_BALLOON | HV_CAN_VNC | HV_CAN_AGENT,
        .max_vcpus = HV_MAX_VCPUS,
        .scheduler = "",
    };
    if (access("/usr/share/OVMF/OVMF_CODE_4M.fd", R_OK) == 0)
        q->caps.features |= HV_CAN_UEFI;
    return NULL;
}

static void qemu_free(struct qemu *q)
{
    struct domain *d;
    size_t pos = 0;

    while ((d = strmap_next(&q->domains, &pos, NULL))) {
        strmap_remove(&q->domains, d->uuid);
        domain_unref(d);
    }
    strmap_fini(&q->domains);
    console_hub_stop(q->hub);
    if (q->loop)
        qmp_loop_stop(q->loop);
    pthread_mutex_destroy(&q->lock);
    free(q->version);
    free(q->why);
    free(q);
}

static struct error *open_parts(struct qemu *q)
{
    TRY(fill_caps(q));
    TRY(console_hub_start(&q->hub));
    q->loop = qmp_loop_start();
    return qemu_adopt_all(q);
}

static struct error *qemu_open(const struct hv_config *config, struct hv **ret)
{
    struct qemu *q = xnew(struct qemu);

    q->state_dir = config->state_dir;
    q->on_event = config->on_event;
    q->ctx = config->ctx;
    q->next_domid = 1;
    pthread_mutex_init(&q->lock, NULL);
    struct error *e = open_parts(q);

    if (e) {
        qemu_free(q);
        return e;
    }
    *ret = &q->hv;
    return NULL;
}

static void qemu_close(struct hv *hv)
{
    qemu_free(qemu_of(hv));
}

static const struct hv_caps *qemu_probe(struct hv *hv)
{
    return &qemu_of(hv)->caps;
}

static struct error *qemu_list(struct hv *hv, struct arena *a, struct hv_domain **ret,
                               size_t *ret_n)
{
    struct qemu *q = qemu_of(hv);
    const struct domain *d;
    size_t pos = 0, n = 0;

    pthread_mutex_lock(&q->lock);
    struct hv_domain *all = arena_array(a, struct hv_domain, q->domains.n + 1);

    while ((d = strmap_next(&q->domains, &pos, NULL))) {
        if (d->ready)
            domain_describe(d, a, &all[n++]);
    }
    pthread_mutex_unlock(&q->lock);
    *ret = all;
    *ret_n = n;
    return NULL;
}

static struct error *qemu_query(struct hv *hv, const char *uuid, struct arena *a,
                                struct hv_domain *ret)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take(hv, uuid, &d));
    pthread_mutex_lock(&d->qemu->lock);
    domain_describe(d, a, ret);
    pthread_mutex_unlock(&d->qemu->lock);
    return NULL;
}

struct error *hv_qemu_take_qmp(struct hv *hv, const char *uuid, struct hv_qmp *ret)
{
    struct domain *d;

    TRY(domain_take_live(hv, uuid, &d));
    *ret = (struct hv_qmp){.qmp = d->qmp, .domain = d};
    return NULL;
}

void hv_qemu_give_qmp(struct hv_qmp *q)
{
    domain_unref(q->domain);
    *q = (struct hv_qmp){NULL};
}

const struct hv_driver hv_qemu_driver = {
    .name = "qemu",
    .open = qemu_open,
    .close = qemu_close,
    .probe = qemu_probe,
    .list = qemu_list,
    .query = qemu_query,
    .start = qemu_start,
    .unpause = qemu_unpause,
    .pause = qemu_pause,
    .signal = qemu_signal,
    .reset = qemu_reset,
    .destroy = qemu_destroy,
    .forget = qemu_forget,
    .suspend = qemu_suspend,
    .set_memory = qemu_set_memory,
    .set_vcpus = qemu_set_vcpus,
    .set_on_reboot = qemu_set_on_reboot,
    .attach_disk = qemu_attach_disk,
    .detach_disk = qemu_detach_disk,
    .change_media = qemu_change_media,
    .attach_nic = qemu_attach_nic,
    .detach_nic = qemu_detach_nic,
    .stats = qemu_stats,
    .console = qemu_console,
    .guest_info = qemu_guest_info,
};
