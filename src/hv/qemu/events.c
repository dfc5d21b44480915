/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU tells by itself. Runs on the QMP thread; only looks and marks, never sends a command.
 */
#include "hv/qemu/domain.h"

#include "base/mem.h"

#include <stdlib.h>

static const char *text_of(const json_t *data, const char *key)
{
    const char *s = json_string_value(json_object_get(data, key));

    return s ? s : "";
}

static void on_shutdown(struct domain *d, json_t *data)
{
    bool reset = streq(text_of(data, "reason"), "guest-reset");

    if (json_is_true(json_object_get(data, "guest")))
        domain_set_state(d, HV_STOPPED, reset ? HV_STOP_REBOOT : HV_STOP_POWEROFF);
}

static void on_panicked(struct domain *d, json_t *data)
{
    domain_set_state(d, HV_STOPPED, HV_STOP_CRASH);
}

static void on_stop(struct domain *d, json_t *data)
{
    if (d->state == HV_RUNNING)
        domain_set_state(d, HV_PAUSED, HV_STOP_NONE);
}

static void on_resume(struct domain *d, json_t *data)
{
    d->ran = true;
    domain_set_state(d, HV_RUNNING, HV_STOP_NONE);
}

static void on_reset(struct domain *d, json_t *data)
{
    d->agent = false;
    d->resets++;
    domain_emit(d, HV_EVENT_REBOOTED, -1);
}

/* "disk3" -> 3, -1 if it is not called so. */
static int number_after(const char *name, const char *prefix)
{
    char *end;

    if (!str_starts(name, prefix) || !name[strlen(prefix)])
        return -1;
    long n = strtol(name + strlen(prefix), &end, 10);

    return *end || n < 0 || n > HV_MAX_DEVICE ? -1 : (int)n;
}

static void on_device_deleted(struct domain *d, json_t *data)
{
    int disk = number_after(text_of(data, "device"), "disk");
    int nic = number_after(text_of(data, "device"), "nic");
    struct qdisk *gone_disk = disk >= 0 ? domain_find_disk(d, disk) : NULL;
    struct qnic *gone_nic = nic >= 0 ? domain_find_nic(d, nic) : NULL;

    if (gone_disk) {
        vec_remove_fast(&d->disks, (size_t)(gone_disk - d->disks.v));
        domain_emit(d, HV_EVENT_DISK_GONE, disk);
    } else if (gone_nic) {
        vec_remove_fast(&d->nics, (size_t)(gone_nic - d->nics.v));
        domain_emit(d, HV_EVENT_NIC_GONE, nic);
    }
}

static void on_tray(struct domain *d, json_t *data)
{
    int disk = number_after(text_of(data, "id"), "disk");

    if (disk >= 0 && json_is_true(json_object_get(data, "tray-open")))
        domain_emit(d, HV_EVENT_MEDIA, disk);
}

static void on_balloon(struct domain *d, json_t *data)
{
    d->memory_actual = json_integer_value(json_object_get(data, "actual"));
    domain_emit(d, HV_EVENT_MEMORY, -1);
}

static void on_port(struct domain *d, json_t *data)
{
    if (!streq(text_of(data, "id"), "agent"))
        return;
    d->agent = json_is_true(json_object_get(data, "open"));
    domain_emit(d, HV_EVENT_GUEST, -1);
}

static void on_io_error(struct domain *d, json_t *data)
{
    if (streq(text_of(data, "action"), "stop"))
        domain_emit(d, HV_EVENT_DISK_FAILED, number_after(text_of(data, "device"), "disk"));
}

static void on_migration(struct domain *d, json_t *data)
{
    snprintf(d->migration, sizeof(d->migration), "%s", text_of(data, "status"));
    pthread_cond_broadcast(&d->changed);
}

static const struct {
    const char *event;
    void (*fn)(struct domain *d, json_t *data);
} handlers[] = {
    {"SHUTDOWN", on_shutdown},
    {"GUEST_PANICKED", on_panicked},
    {"STOP", on_stop},
    {"RESUME", on_resume},
    {"RESET", on_reset},
    {"DEVICE_DELETED", on_device_deleted},
    {"DEVICE_TRAY_MOVED", on_tray},
    {"BALLOON_CHANGE", on_balloon},
    {"VSERPORT_CHANGE", on_port},
    {"BLOCK_IO_ERROR", on_io_error},
    {"MIGRATION", on_migration},
};

static void on_end(struct domain *d)
{
    d->broken = true;
    d->agent = false;
    if (d->state != HV_STOPPED)
        domain_set_state(d, HV_STOPPED, HV_STOP_LOST);
    pthread_cond_broadcast(&d->changed);
}

void domain_on_event(void *arg, const char *event, json_t *data, int64_t time_us)
{
    struct domain *d = arg;

    pthread_mutex_lock(&d->qemu->lock);
    if (!event)
        on_end(d);
    for (size_t i = 0; event && i < ARRAY_SIZE(handlers); i++) {
        if (streq(event, handlers[i].event))
            handlers[i].fn(d, data);
    }
    pthread_mutex_unlock(&d->qemu->lock);
}

void domain_apply_status(struct domain *d, const char *status)
{
    static const struct {
        const char *status;
        enum hv_state state;
        enum hv_stop stop;
    } table[] = {
        {"running", HV_RUNNING, HV_STOP_NONE},
        {"shutdown", HV_STOPPED, HV_STOP_POWEROFF},
        {"guest-panicked", HV_STOPPED, HV_STOP_CRASH},
        {"internal-error", HV_STOPPED, HV_STOP_CRASH},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (streq(status, table[i].status)) {
            /* An event told more than the status can: a reboot that was to stop. */
            if (d->state != table[i].state)
                domain_set_state(d, table[i].state, table[i].stop);
            return;
        }
    }
    domain_set_state(d, HV_PAUSED, HV_STOP_NONE); /* prelaunch, paused, io-error, inmigrate ... */
}
