/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks, NICs, memory, CPUs, consoles and figures of simulated domains. */
#include "hv/sim/sim.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"

#include <errno.h>
#include <sys/socket.h>

static struct sim_disk *find_disk(struct sim_domain *d, int device)
{
    vec_foreach (disk, &d->disks) {
        if (disk->device == device)
            return disk;
    }
    return NULL;
}

static int find_nic(const struct sim_domain *d, int device)
{
    for (size_t i = 0; i < d->nics.n; i++) {
        if (d->nics.v[i] == device)
            return (int)i;
    }
    return -1;
}

static struct error *detach_timeout(const char *class, int device)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", device);
    return error_api("DEVICE_DETACH_TIMEOUT", 2, class, text);
}

struct error *sim_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "attach_disk", uuid, &d));
    _sim_inside_ struct sim *in = s;
    const struct sim_disk *there = find_disk(d, disk->device);

    if (there && streq(there->vdi, disk->vdi))
        return NULL;
    if (there)
        return error_text("disk %d of %s is another one", disk->device, uuid);
    struct sim_disk add = {.device = disk->device, .cd = disk->type == HV_CD};

    snprintf(add.vdi, sizeof(add.vdi), "%s", disk->vdi);
    vec_add(&d->disks, add);
    return sim_store(s, d);
}

struct error *sim_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "detach_disk", uuid, &d));
    _sim_inside_ struct sim *in = s;
    const struct sim_disk *disk = find_disk(d, device);

    if (!disk)
        return NULL;
    if (d->refuse_detach)
        return detach_timeout("VBD", device);
    vec_remove_fast(&d->disks, (size_t)(disk - d->disks.v));
    sim_emit(s, HV_EVENT_DISK_GONE, d, device);
    return sim_store(s, d);
}

struct error *sim_change_media(struct hv *hv, const char *uuid, const struct hv_disk *disk)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "change_media", uuid, &d));
    _sim_inside_ struct sim *in = s;
    struct sim_disk *there = find_disk(d, disk->device);

    if (!there || !there->cd)
        return error_text("domain %s has no CD drive %d", uuid, disk->device);
    snprintf(there->vdi, sizeof(there->vdi), "%s", disk->vdi);
    return sim_store(s, d);
}

struct error *sim_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *nic)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "attach_nic", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (find_nic(d, nic->device) >= 0)
        return NULL;
    vec_add(&d->nics, nic->device);
    return sim_store(s, d);
}

struct error *sim_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "detach_nic", uuid, &d));
    _sim_inside_ struct sim *in = s;
    int i = find_nic(d, device);

    if (i < 0)
        return NULL;
    if (d->refuse_detach)
        return detach_timeout("VIF", device);
    vec_remove_fast(&d->nics, (size_t)i);
    sim_emit(s, HV_EVENT_NIC_GONE, d, device);
    return sim_store(s, d);
}

struct error *sim_set_memory(struct hv *hv, const char *uuid, int64_t target)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "set_memory", uuid, &d));
    _sim_inside_ struct sim *in = s;

    d->memory = MIN(target, d->memory_max);
    sim_emit(s, HV_EVENT_MEMORY, d, -1);
    return sim_store(s, d);
}

struct error *sim_set_vcpus(struct hv *hv, const char *uuid, int vcpus)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "set_vcpus", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (vcpus > d->vcpus_max)
        return error_text("domain %s can have %d CPUs", uuid, d->vcpus_max);
    d->vcpus = vcpus;
    return sim_store(s, d);
}

/* A guest that works a quarter of the time and moves 1 MB/s on each device: figures that grow and
 * can be foretold. */
struct error *sim_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "stats", uuid, &d));
    _sim_inside_ struct sim *in = s;
    int64_t us = d->ran_us + (d->ran_since_us ? mono_us() - d->ran_since_us : 0);
    int64_t *vcpu = arena_array(a, int64_t, (size_t)d->vcpus);
    struct hv_disk_stats *disks = arena_array(a, struct hv_disk_stats, d->disks.n);
    struct hv_nic_stats *nics = arena_array(a, struct hv_nic_stats, d->nics.n);

    for (int i = 0; i < d->vcpus; i++)
        vcpu[i] = us * 1000 / 4;
    for (size_t i = 0; i < d->disks.n; i++)
        disks[i] = (struct hv_disk_stats){.device = d->disks.v[i].device,
                                          .read_bytes = us,
                                          .write_bytes = us,
                                          .read_ops = us / 4096,
                                          .write_ops = us / 4096};
    for (size_t i = 0; i < d->nics.n; i++)
        nics[i] = (struct hv_nic_stats){.device = d->nics.v[i], .rx_bytes = us, .tx_bytes = us};
    *ret = (struct hv_stats){.cpu_ns = us * 1000 / 4 * d->vcpus,
                             .vcpu_ns = vcpu,
                             .n_vcpus = (size_t)d->vcpus,
                             .memory_actual = d->memory,
                             .memory_free = d->agent ? d->memory / 2 : -1,
                             .disks = disks,
                             .n_disks = d->disks.n,
                             .nics = nics,
                             .n_nics = d->nics.n};
    return NULL;
}

struct error *sim_guest_info(struct hv *hv, const char *uuid, struct arena *a, struct hv_pair **ret,
                             size_t *ret_n)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;
    size_t n = 0;

    TRY(sim_enter_domain(s, "guest_info", uuid, &d));
    _sim_inside_ struct sim *in = s;
    struct hv_pair *pairs = arena_array(a, struct hv_pair, 4 + d->nics.n);

    if (d->agent) {
        pairs[n++] = (struct hv_pair){"os_version/name", "Simulated Linux 1.0"};
        pairs[n++] = (struct hv_pair){"os_version/distro", "simulated"};
        pairs[n++] = (struct hv_pair){"os_version/major", "1"};
        pairs[n++] = (struct hv_pair){"os_version/minor", "0"};
        vec_foreach (nic, &d->nics)
            pairs[n++] = (struct hv_pair){arena_printf(a, "networks/%d/ip", *nic),
                                          arena_printf(a, "10.%d.%d.%d", (int)(d->domid >> 8 & 255),
                                                       (int)(d->domid & 255), *nic + 2)};
    }
    *ret = pairs;
    *ret_n = n;
    return NULL;
}

/* The RFB version greeting, and silence: enough for what only carries the bytes. */
static struct error *vnc_socket(int *ret_fd)
{
    static const char greeting[] = "RFB 003.008\n";
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(errno, "cannot make a socket pair");
    _cleanup_close_ int guest = pair[0];
    _cleanup_close_ int viewer = pair[1];

    TRY(io_write_all(guest, greeting, sizeof(greeting) - 1));
    *ret_fd = TAKE_FD(viewer);
    return NULL;
}

struct error *sim_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd)
{
    struct sim *s = sim_of(hv);
    struct sim_domain *d;

    TRY(sim_enter_domain(s, "console", uuid, &d));
    _sim_inside_ struct sim *in = s;

    if (kind == HV_CONSOLE_VNC)
        return vnc_socket(ret_fd);
    if (!d->console) {
        _cleanup_free_ char *path = xasprintf("%s/run/sim/%s.console", s->state_dir, uuid);
        _cleanup_free_ char *hello = xasprintf("simulated console of %s\r\nlogin: ", uuid);

        TRY(console_open(s->hub, -1, path, NULL, &d->console));
        console_say(d->console, hello);
    }
    return console_view(d->console, ret_fd);
}
