/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The front of the hypervisor drivers: the registry, and one checking wrapper per operation. What
 * every driver would have to check or lock stands here once.
 */
#include "hv/hv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "base/world.h"
#include "hv/driver.h"

#include <ctype.h>

const char *const hv_state_names[HV_STATE_MAX] = {"paused", "running", "stopped"};
const char *const hv_stop_names[HV_STOP_MAX] = {"", "poweroff", "reboot", "crash", "lost"};
const char *const hv_kind_names[HV_KIND_MAX] = {"hvm", "pv", "pvh"};
const char *const hv_event_names[HV_EVENT_MAX] = {
    "state", "rebooted", "disk_gone", "nic_gone", "media", "memory", "guest", "disk_failed",
};

static const struct hv_driver *const drivers[] = {
    &hv_qemu_driver,
    &hv_libxl_driver,
    &hv_sim_driver,
};

/* Logs how long an operation took when it leaves its scope. */
struct timing {
    const char *what;
    const char *uuid;
    int64_t from;
};

static void timing_end(struct timing *t)
{
    log_debug("hv %s %s: %lld us", t->what, t->uuid, (long long)(mono_us() - t->from));
}

#define TIMED(id)                                                                                  \
    _cleanup_(timing_end) _unused_ struct timing timing_ = {                                       \
        .what = __func__ + sizeof("hv_") - 1, .uuid = (id), .from = mono_us()}
#define TURN(hv, id)                                                                               \
    _cleanup_turn_ struct held_turn turn_ = turn_take(&(hv)->turns, (id));                         \
    TIMED(id)

struct error *hv_no_domain(const char *uuid)
{
    struct error *e = error_api("HANDLE_INVALID", 2, "VM", uuid);

    return error_detail(e, "no domain %s", uuid);
}

static struct error *bad_value(const char *what, const char *value)
{
    return error_api("INVALID_VALUE", 2, what, value);
}

static struct error *bad_number(const char *what, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return bad_value(what, text);
}

static struct error *check_uuid(const char *uuid)
{
    if (!uuid || !uuid_is_plain(uuid))
        return bad_value("uuid", uuid ? uuid : "");
    return NULL;
}

static struct error *check_feature(struct hv *hv, enum hv_feature f, const char *what)
{
    if (hv->driver->probe(hv)->features & f)
        return NULL;
    struct error *e = error_api("NOT_IMPLEMENTED", 1, what);

    return error_detail(e, "driver %s cannot do this", hv->driver->name);
}

static bool is_mac(const char *s)
{
    if (!s || strlen(s) != 17)
        return false;
    for (int i = 0; i < 17; i++) {
        if (i % 3 == 2 ? s[i] != ':' : !strchr("0123456789abcdefABCDEF", s[i]))
            return false;
    }
    return true;
}

static struct error *check_disk(const struct hv_disk *d)
{
    if (d->device < 0 || d->device > HV_MAX_DEVICE)
        return bad_number("disk.device", d->device);
    if (d->type == HV_CD ? !d->read_only : str_empty(d->vdi))
        return bad_value("disk.type", d->type == HV_CD ? "writable CD" : "disk without data");
    if (!str_empty(d->vdi))
        TRY(check_uuid(d->vdi));
    if (d->n_blockdevs > HV_MAX_BLOCKDEVS)
        return bad_number("disk.blockdevs", (int64_t)d->n_blockdevs);
    return NULL;
}

static struct error *check_nic(const struct hv_nic *n)
{
    if (n->device < 0 || n->device >= HV_MAX_NICS)
        return bad_number("nic.device", n->device);
    if (!is_mac(n->mac))
        return bad_value("nic.mac", n->mac ? n->mac : "");
    if (n->mtu < 0 || n->mtu > 65535)
        return bad_number("nic.mtu", n->mtu);
    if (n->net == HV_NET_TAP && n->tap_fd < 0)
        return bad_value("nic.net", "tap without a descriptor");
    if (n->net == HV_NET_BRIDGE && str_empty(n->bridge))
        return bad_value("nic.net", "no bridge");
    return NULL;
}

static struct error *check_devices(const struct hv_start *p)
{
    bool seen[HV_MAX_DEVICE + 1] = {false};
    bool nic_seen[HV_MAX_NICS] = {false};

    if (p->n_disks > HV_MAX_DISKS || p->n_nics > HV_MAX_NICS)
        return bad_value("devices", "too many");
    for (size_t i = 0; i < p->n_disks; i++) {
        TRY(check_disk(&p->disks[i]));
        if (seen[p->disks[i].device])
            return bad_number("disk.device", p->disks[i].device);
        seen[p->disks[i].device] = true;
    }
    for (size_t i = 0; i < p->n_nics; i++) {
        TRY(check_nic(&p->nics[i]));
        if (nic_seen[p->nics[i].device])
            return bad_number("nic.device", p->nics[i].device);
        nic_seen[p->nics[i].device] = true;
    }
    return NULL;
}

static struct error *check_boot(struct hv *hv, const struct hv_start *p)
{
    if (strspn(p->boot_order, "cdn") != strlen(p->boot_order) || strlen(p->boot_order) > 8)
        return bad_value("boot_order", p->boot_order);
    if (p->kind == HV_KIND_PV)
        TRY(check_feature(hv, HV_CAN_PV, "PV"));
    if (p->kind == HV_KIND_PVH)
        TRY(check_feature(hv, HV_CAN_PVH, "PVH"));
    if (p->firmware == HV_FIRMWARE_UEFI)
        TRY(check_feature(hv, HV_CAN_UEFI, "UEFI"));
    if (p->kind != HV_KIND_HVM && p->firmware != HV_FIRMWARE_DIRECT)
        return bad_value("firmware", "a paravirtualised guest has none");
    if (p->firmware == HV_FIRMWARE_DIRECT && strlen(p->cmdline) > HV_MAX_CMDLINE)
        return bad_value("cmdline", "too long");
    if (p->firmware == HV_FIRMWARE_DIRECT && p->kernel[0] != '/' &&
        (p->kind == HV_KIND_HVM || *p->kernel))
        return bad_value("kernel", p->kernel);
    return NULL;
}

static struct error *check_start(struct hv *hv, const struct hv_start *p)
{
    const struct hv_caps *caps = hv->driver->probe(hv);

    TRY(check_uuid(p->uuid));
    if (p->memory_max < HV_MIN_MEMORY || p->memory_max > HV_MAX_MEMORY)
        return bad_number("memory_max", p->memory_max);
    if (p->memory_target < HV_MIN_MEMORY || p->memory_target > p->memory_max)
        return bad_number("memory_target", p->memory_target);
    if (p->vcpus_max < 1 || p->vcpus_max > MIN(caps->max_vcpus, HV_MAX_VCPUS))
        return bad_number("vcpus_max", p->vcpus_max);
    if (p->vcpus < 1 || p->vcpus > p->vcpus_max)
        return bad_number("vcpus", p->vcpus);
    TRY(check_boot(hv, p));
    if (p->resume_fd >= 0)
        TRY(check_feature(hv, HV_CAN_SUSPEND, "VM.resume"));
    return check_devices(p);
}

struct error *hv_open(const char *name, const struct hv_config *config, struct hv **ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!streq(drivers[i]->name, name))
            continue;
        struct hv_config own = *config;
        char *state_dir = xstrdup(config->state_dir);

        own.state_dir = state_dir;
        struct error *e = drivers[i]->open(&own, ret);

        if (e) {
            free(state_dir);
            return e;
        }
        (*ret)->driver = drivers[i];
        (*ret)->config = own;
        turns_init(&(*ret)->turns);
        return NULL;
    }
    return error_text("no hypervisor driver is called %s", name);
}

void hv_close(struct hv *hv)
{
    if (!hv)
        return;
    char *state_dir = (char *)(uintptr_t)hv->config.state_dir;

    turns_fini(&hv->turns);
    hv->driver->close(hv);
    free(state_dir);
}

const struct hv_caps *hv_probe(struct hv *hv)
{
    return hv->driver->probe(hv);
}

struct error *hv_host(struct hv *hv, struct arena *a, struct hv_host *ret)
{
    *ret = (struct hv_host){.capabilities = ""};
    return hv->driver->host ? hv->driver->host(hv, a, ret) : NULL;
}

struct error *hv_dmesg(struct hv *hv, struct arena *a, const char **ret)
{
    *ret = "";
    return hv->driver->dmesg ? hv->driver->dmesg(hv, a, ret) : NULL;
}

struct error *hv_list(struct hv *hv, struct arena *a, struct hv_domain **ret, size_t *ret_n)
{
    TIMED("");
    return hv->driver->list(hv, a, ret, ret_n);
}

struct error *hv_query(struct hv *hv, const char *uuid, struct arena *a, struct hv_domain *ret)
{
    TRY(check_uuid(uuid));
    return hv->driver->query(hv, uuid, a, ret);
}

struct error *hv_start(struct hv *hv, const struct hv_start *p, struct arena *a,
                       struct hv_started *ret)
{
    TRY(check_start(hv, p));
    TURN(hv, p->uuid);
    return hv->driver->start(hv, p, a, ret);
}

struct error *hv_unpause(struct hv *hv, const char *uuid)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->unpause(hv, uuid);
}

struct error *hv_pause(struct hv *hv, const char *uuid)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->pause(hv, uuid);
}

struct error *hv_signal(struct hv *hv, const char *uuid, enum hv_signal signal)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->signal(hv, uuid, signal);
}

struct error *hv_reset(struct hv *hv, const char *uuid)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->reset(hv, uuid);
}

/* Takes no turn: it is what ends a call that hangs. */
struct error *hv_destroy(struct hv *hv, const char *uuid)
{
    TRY(check_uuid(uuid));
    TIMED(uuid);
    return hv->driver->destroy(hv, uuid);
}

struct error *hv_forget(struct hv *hv, const char *uuid)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->forget(hv, uuid);
}

struct error *hv_suspend(struct hv *hv, const char *uuid, int fd, int64_t max)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_SUSPEND, "VM.suspend"));
    if (fd < 0 || max <= 0)
        return bad_number("fd", fd);
    TURN(hv, uuid);
    return hv->driver->suspend(hv, uuid, fd, max);
}

struct error *hv_set_memory(struct hv *hv, const char *uuid, int64_t target)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_BALLOON, "VM.set_memory_target_live"));
    if (target < HV_MIN_MEMORY || target > HV_MAX_MEMORY)
        return bad_number("target", target);
    TURN(hv, uuid);
    return hv->driver->set_memory(hv, uuid, target);
}

struct error *hv_set_vcpus(struct hv *hv, const char *uuid, int vcpus)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_HOTPLUG_VCPU, "VM.set_VCPUs_number_live"));
    if (vcpus < 1 || vcpus > HV_MAX_VCPUS)
        return bad_number("vcpus", vcpus);
    TURN(hv, uuid);
    return hv->driver->set_vcpus(hv, uuid, vcpus);
}

static bool is_number(const char *s, long least, long most)
{
    char *end;
    long n = strtol(s, &end, 10);

    return isdigit((unsigned char)*s) && !*end && n >= least && n <= most;
}

/* "1,3" */
static bool is_mask(const char *s)
{
    const char *end = s;

    while (isdigit((unsigned char)*end)) {
        end += strspn(end, "0123456789");
        if (!*end)
            return strlen(s) < HV_MAX_MASK;
        if (*end++ != ',')
            break;
    }
    return false;
}

struct error *hv_set_scheduling(struct hv *hv, const char *uuid, const char *key, const char *value)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_SCHEDULE, "VM.add_to_VCPUs_params_live"));
    bool weight = streq(key, "weight"), cap = streq(key, "cap"), mask = streq(key, "mask");

    if (!weight && !cap && !mask)
        return bad_value("key", key);
    if (mask ? !is_mask(value) : !is_number(value, weight ? 1 : 0, UINT16_MAX))
        return bad_value(key, value);
    TURN(hv, uuid);
    return hv->driver->set_scheduling(hv, uuid, key, value);
}

struct error *hv_set_on_reboot(struct hv *hv, const char *uuid, enum hv_action a)
{
    TRY(check_uuid(uuid));
    TURN(hv, uuid);
    return hv->driver->set_on_reboot(hv, uuid, a);
}

struct error *hv_attach_disk(struct hv *hv, const char *uuid, const struct hv_disk *d)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_HOTPLUG_DISK, "VBD.plug"));
    TRY(check_disk(d));
    TURN(hv, uuid);
    return hv->driver->attach_disk(hv, uuid, d);
}

struct error *hv_detach_disk(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_HOTPLUG_DISK, "VBD.unplug"));
    if (device < 0 || device > HV_MAX_DEVICE)
        return bad_number("disk.device", device);
    TURN(hv, uuid);
    return hv->driver->detach_disk(hv, uuid, device, timeout_us);
}

struct error *hv_change_media(struct hv *hv, const char *uuid, const struct hv_disk *d)
{
    TRY(check_uuid(uuid));
    TRY(check_disk(d));
    if (d->type != HV_CD)
        return bad_value("disk.type", "not a CD");
    TURN(hv, uuid);
    return hv->driver->change_media(hv, uuid, d);
}

struct error *hv_attach_nic(struct hv *hv, const char *uuid, const struct hv_nic *n)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_HOTPLUG_NIC, "VIF.plug"));
    TRY(check_nic(n));
    TURN(hv, uuid);
    return hv->driver->attach_nic(hv, uuid, n);
}

struct error *hv_detach_nic(struct hv *hv, const char *uuid, int device, int64_t timeout_us)
{
    TRY(check_uuid(uuid));
    TRY(check_feature(hv, HV_CAN_HOTPLUG_NIC, "VIF.unplug"));
    if (device < 0 || device >= HV_MAX_NICS)
        return bad_number("nic.device", device);
    TURN(hv, uuid);
    return hv->driver->detach_nic(hv, uuid, device, timeout_us);
}

struct error *hv_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret)
{
    TRY(check_uuid(uuid));
    return hv->driver->stats(hv, uuid, a, ret);
}

struct error *hv_console(struct hv *hv, const char *uuid, enum hv_console kind, int *ret_fd)
{
    TRY(check_uuid(uuid));
    if (kind == HV_CONSOLE_VNC)
        TRY(check_feature(hv, HV_CAN_VNC, "VNC"));
    return hv->driver->console(hv, uuid, kind, ret_fd);
}

struct error *hv_guest_info(struct hv *hv, const char *uuid, struct arena *a, struct hv_pair **ret,
                            size_t *ret_n)
{
    TRY(check_uuid(uuid));
    return hv->driver->guest_info(hv, uuid, a, ret, ret_n);
}

struct error *hv_control(struct hv *hv, const char *json, struct arena *a, const char **ret_json)
{
    if (!hv->driver->control)
        return error_api("NOT_IMPLEMENTED", 1, "control");
    return hv->driver->control(hv, json, a, ret_json);
}
