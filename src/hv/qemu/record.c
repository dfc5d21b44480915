/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing and reading launch records. */
#include "hv/qemu/record.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define RECORD_VERSION 1
#define RECORD_MAX     (256u << 10)

static json_t *machine_json(const struct machine *m)
{
    return pack("{s:i, s:s, s:s, s:s, s:b, s:i}", "version", m->version, "type", m->type, "cpu",
                m->cpu, "accel", m->accel, "sata", (int)m->sata, "nic_ports", m->nic_ports);
}

char *machine_text(const struct machine *m)
{
    json_t *j = machine_json(m);
    char *text = json_dumps(j, JSON_COMPACT);

    json_decref(j);
    return text;
}

static bool is_machine_type(const char *s)
{
    static const char prefix[] = "pc-q35-";

    return str_starts(s, prefix) && strlen(s) < 20 &&
           strspn(s + sizeof(prefix) - 1, "0123456789.") == strlen(s) - (sizeof(prefix) - 1);
}

static struct error *machine_from_json(const json_t *j, struct machine *ret)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    const char *cpu = json_string_value(json_object_get(j, "cpu"));
    const char *accel = json_string_value(json_object_get(j, "accel"));
    struct machine m = {
        .version = (int)json_integer_value(json_object_get(j, "version")),
        .sata = json_is_true(json_object_get(j, "sata")),
        .nic_ports = (int)json_integer_value(json_object_get(j, "nic_ports")),
    };

    if (m.version != 1 || !type || !is_machine_type(type) || !cpu || !accel ||
        (!streq(cpu, "host") && !streq(cpu, "max")) ||
        (!streq(accel, "kvm") && !streq(accel, "tcg")) || m.nic_ports < 0 ||
        m.nic_ports > HV_MAX_NICS)
        return error_text("not a machine of this program");
    snprintf(m.type, sizeof(m.type), "%s", type);
    snprintf(m.cpu, sizeof(m.cpu), "%s", cpu);
    snprintf(m.accel, sizeof(m.accel), "%s", accel);
    *ret = m;
    return NULL;
}

struct error *machine_parse(const char *text, const struct hv_caps *caps, struct machine *ret)
{
    _cleanup_json_ json_t *j = strlen(text) < 4096 ? json_loads(text, 0, NULL) : NULL;

    TRY(machine_from_json(j, ret));
    if (!streq(ret->accel, caps->accelerator))
        return error_text("the memory was saved under %s, this host runs guests under %s",
                          ret->accel, caps->accelerator);
    return NULL;
}

static json_t *disks_json(const struct domain *d)
{
    json_t *all = json_array();

    vec_foreach (disk, &d->disks)
        json_array_append_new(all, pack("{s:i, s:b, s:i, s:s}", "device", disk->device, "cd",
                                        (int)disk->cd, "bus", (int)disk->bus, "vdi", disk->vdi));
    return all;
}

struct error *record_write(const struct domain *d)
{
    _cleanup_free_ char *path = xasprintf("%s/launch.json", d->dir);
    json_t *nics = json_array();

    vec_foreach (nic, &d->nics)
        json_array_append_new(nics, json_integer(nic->device));
    _cleanup_json_ json_t *j =
        pack("{s:i, s:s, s:I, s:i, s:I, s:I, s:i, s:i, s:I, s:b, s:o, s:o, s:o}", "version",
             RECORD_VERSION, "uuid", d->uuid, "domid", (json_int_t)d->domid, "pid", (int)d->pid,
             "start_time", (json_int_t)d->start_time, "memory_max", (json_int_t)d->memory_max,
             "vcpus_max", d->vcpus_max, "on_reboot", (int)d->on_reboot, "started",
             (json_int_t)d->started, "ran", (int)d->ran, "machine", machine_json(&d->machine),
             "disks", disks_json(d), "nics", nics);
    _cleanup_free_ char *text = json_dumps(j, JSON_INDENT(1));

    return io_replace_file(path, text, strlen(text), 0600);
}

static int64_t number(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static struct error *read_devices(struct domain *d, const json_t *j)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(j, "disks"), i, item) {
        struct qdisk disk = {.device = (int)number(item, "device"),
                             .bus = (enum bus)number(item, "bus"),
                             .cd = json_is_true(json_object_get(item, "cd"))};
        const char *vdi = json_string_value(json_object_get(item, "vdi"));

        if (disk.device < 0 || disk.device > HV_MAX_DEVICE || !vdi || disk.bus >= BUS_MAX)
            return error_text("bad disk");
        snprintf(disk.vdi, sizeof(disk.vdi), "%s", vdi);
        vec_add(&d->disks, disk);
    }
    json_array_foreach (json_object_get(j, "nics"), i, item)
        vec_add(&d->nics, (struct qnic){.device = (int)json_integer_value(item)});
    return NULL;
}

struct error *record_read(struct domain *d)
{
    _cleanup_free_ char *path = xasprintf("%s/launch.json", d->dir);
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, RECORD_MAX, &text));
    _cleanup_json_ json_t *j = json_loadb(str_cstr(&text), text.len, 0, NULL);
    const char *uuid = json_string_value(json_object_get(j, "uuid"));

    if (number(j, "version") != RECORD_VERSION || !uuid || !streq(uuid, d->uuid))
        return error_text("%s is not a launch record of this program", path);
    TRY(machine_from_json(json_object_get(j, "machine"), &d->machine));
    d->domid = number(j, "domid");
    d->pid = (pid_t)number(j, "pid");
    d->start_time = (unsigned long long)number(j, "start_time");
    d->memory_max = number(j, "memory_max");
    d->vcpus_max = (int)number(j, "vcpus_max");
    d->on_reboot = number(j, "on_reboot") == HV_ACTION_STOP ? HV_ACTION_STOP : HV_ACTION_RESTART;
    d->started = number(j, "started");
    d->ran = json_is_true(json_object_get(j, "ran"));
    return read_devices(d, j);
}
