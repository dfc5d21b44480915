/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated domain as a file <state>/run/sim/<uuid>: it stands for the process that would go on
 * without us. Not flushed: like a process it need not survive the machine.
 */
#include "hv/sim/sim.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>

#define FILE_MAX (256u << 10)

static char *path_in(const char *state_dir, const char *uuid)
{
    return xasprintf("%s/run/sim/%s", state_dir, uuid);
}

static char *path_of(const struct sim *s, const char *uuid)
{
    return path_in(s->state_dir, uuid);
}

static json_t *to_json(const struct sim_domain *d)
{
    json_t *disks = json_array(), *nics = json_array();

    vec_foreach (disk, &d->disks)
        json_array_append_new(disks, json_pack("{s:i, s:b, s:s}", "device", disk->device, "cd",
                                               (int)disk->cd, "vdi", disk->vdi));
    vec_foreach (nic, &d->nics)
        json_array_append_new(nics, json_integer(*nic));
    return json_pack("{s:I, s:i, s:i, s:b, s:i, s:I, s:I, s:I, s:i, s:i, s:o, s:o}", "domid",
                     d->domid, "state", (int)d->state, "stop", (int)d->stop, "ran", (int)d->ran,
                     "on_reboot", (int)d->on_reboot, "started", d->started, "memory_max",
                     d->memory_max, "memory", d->memory, "vcpus_max", d->vcpus_max, "vcpus",
                     d->vcpus, "disks", disks, "nics", nics);
}

struct error *sim_store(struct sim *s, const struct sim_domain *d)
{
    _cleanup_free_ char *path = path_of(s, d->uuid);
    json_t *j = to_json(d);
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);

    json_decref(j);
    return io_replace_file(path, text, strlen(text), 0600);
}

void sim_unstore(struct sim *s, const char *uuid)
{
    _cleanup_free_ char *path = path_of(s, uuid);
    _cleanup_free_ char *console = xasprintf("%s.console", path);

    unlink(path);
    unlink(console);
}

static int number(const json_t *j, const char *key)
{
    return (int)json_integer_value(json_object_get(j, key));
}

static int64_t big_number(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static struct sim_domain *from_json(const char *uuid, const json_t *j)
{
    struct sim_domain *d = xnew(struct sim_domain);
    json_t *item;
    size_t i;

    snprintf(d->uuid, sizeof(d->uuid), "%.36s", uuid);
    d->domid = big_number(j, "domid");
    d->state = (enum hv_state)number(j, "state");
    d->stop = (enum hv_stop)number(j, "stop");
    d->ran = json_is_true(json_object_get(j, "ran"));
    d->on_reboot = (enum hv_action)number(j, "on_reboot");
    d->started = big_number(j, "started");
    d->memory_max = big_number(j, "memory_max");
    d->memory = big_number(j, "memory");
    d->vcpus_max = number(j, "vcpus_max");
    d->vcpus = number(j, "vcpus");
    d->agent = d->state == HV_RUNNING;
    d->ran_since_us = d->agent ? mono_us() : 0;
    json_array_foreach (json_object_get(j, "disks"), i, item) {
        struct sim_disk disk = {.device = number(item, "device"),
                                .cd = json_is_true(json_object_get(item, "cd"))};
        const char *vdi = json_string_value(json_object_get(item, "vdi"));

        snprintf(disk.vdi, sizeof(disk.vdi), "%s", vdi ? vdi : "");
        vec_add(&d->disks, disk);
    }
    json_array_foreach (json_object_get(j, "nics"), i, item)
        vec_add(&d->nics, (int)json_integer_value(item));
    return d;
}

struct error *sim_load(const char *state_dir, const char *uuid, struct sim_domain **ret)
{
    _cleanup_free_ char *path = path_in(state_dir, uuid);
    _cleanup_str_ struct str text = STR_INIT;

    TRY(io_read_file(path, FILE_MAX, &text));
    json_t *j = json_loadb(str_cstr(&text), text.len, 0, NULL);

    if (!json_is_object(j) || number(j, "state") < 0 || number(j, "state") >= HV_STATE_MAX ||
        number(j, "stop") < 0 || number(j, "stop") >= HV_STOP_MAX) {
        json_decref(j);
        return error_text("%s is not a simulated domain", path);
    }
    *ret = from_json(uuid, j);
    json_decref(j);
    return NULL;
}

static struct error *load_one(struct sim *s, const char *uuid)
{
    struct sim_domain *d;

    TRY(sim_load(s->state_dir, uuid, &d));
    strmap_set(&s->domains, d->uuid, d);
    s->next_domid = MAX(s->next_domid, d->domid + 1);
    return NULL;
}

struct error *sim_load_all(struct sim *s)
{
    _cleanup_free_ char *path = path_of(s, "");
    const struct dirent *entry;
    struct error *e = NULL;

    io_remove_temporaries(path);
    _cleanup_closedir_ DIR *dir = opendir(path);

    if (!dir)
        return error_errno(errno, "cannot read %s", path);
    while (!e && (entry = readdir(dir))) {
        if (uuid_is_valid(entry->d_name))
            e = load_one(s, entry->d_name);
    }
    return e;
}
