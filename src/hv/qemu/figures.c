/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory and CPUs of a running guest, and what it has used. */
#include "base/io.h"
#include "base/mem.h"
#include "base/world.h"
#include "hv/qemu/domain.h"

/* Figures are asked for all the time; a QEMU that hangs must not hold the others up. */
#define STATS_TIMEOUT_US (2 * SECOND_US)

struct error *qemu_set_memory(struct hv *hv, const char *uuid, int64_t target)
{
    _cleanup_domain_ struct domain *d = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    return domain_qmp(d, "balloon", pack("{s:I}", "value", (json_int_t)MIN(target, d->memory_max)),
                      NULL);
}

/* Places are listed highest first. Plugged ones have a path; ours among them end in "cpuN". */
static struct error *plug_cpus(struct domain *d, const json_t *places, int count)
{
    for (size_t i = json_array_size(places); i-- > 0 && count > 0;) {
        const json_t *place = json_array_get(places, i);
        _cleanup_free_ char *id = xasprintf("cpu%zu", i);

        if (json_object_get(place, "qom-path"))
            continue;
        json_t *args = json_deep_copy(json_object_get(place, "props"));

        json_object_set_new(args, "driver", json_copy(json_object_get(place, "type")));
        json_object_set_new(args, "id", json_string(id));
        TRY(domain_qmp(d, "device_add", args, NULL));
        count--;
    }
    return NULL;
}

static struct error *unplug_cpus(struct domain *d, const json_t *places, int count)
{
    for (size_t i = 0; i < json_array_size(places) && count > 0; i++) {
        const char *path =
            json_string_value(json_object_get(json_array_get(places, i), "qom-path"));
        const char *name = path ? strrchr(path, '/') : NULL;

        if (!name || !str_starts(name, "/cpu"))
            continue; /* not there, or one of those the guest started with */
        TRY(domain_qmp(d, "device_del", pack("{s:s}", "id", name + 1), NULL));
        count--;
    }
    if (count > 0)
        return error_text("the CPUs a guest started with cannot be taken from it");
    return NULL;
}

struct error *qemu_set_vcpus(struct hv *hv, const char *uuid, int vcpus)
{
    _cleanup_domain_ struct domain *d = NULL;
    _cleanup_json_ json_t *places = NULL;

    TRY(domain_take_live(hv, uuid, &d));
    if (vcpus > d->vcpus_max)
        return error_text("domain %s can have %d CPUs", uuid, d->vcpus_max);
    TRY(domain_qmp(d, "query-hotpluggable-cpus", NULL, &places));
    int now = 0;

    for (size_t i = 0; i < json_array_size(places); i++)
        now += json_object_get(json_array_get(places, i), "qom-path") != NULL;
    if (vcpus > now)
        TRY(plug_cpus(d, places, vcpus - now));
    else
        TRY(unplug_cpus(d, places, now - vcpus));
    _cleanup_json_ json_t *cpus = NULL;

    TRY(domain_qmp(d, "query-cpus-fast", NULL, &cpus));
    pthread_mutex_lock(&d->qemu->lock);
    d->threads.n = 0;
    for (size_t i = 0; i < json_array_size(cpus); i++)
        vec_add(&d->threads,
                (int)json_integer_value(json_object_get(json_array_get(cpus, i), "thread-id")));
    d->vcpus = (int)d->threads.n;
    pthread_mutex_unlock(&d->qemu->lock);
    return NULL;
}

/* First number of /proc/PID/task/TID/schedstat: nanoseconds on a CPU (Linux, sched-stats.rst). */
static int64_t thread_ns(pid_t pid, int tid)
{
    _cleanup_str_ struct str text = STR_INIT;
    char path[80];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, tid);
    struct error *e = io_read_file(path, 256, &text);

    if (e) {
        error_free(e);
        return 0;
    }
    return strtoll(str_cstr(&text), NULL, 10);
}

static void add_cpu(struct domain *d, struct arena *a, struct hv_stats *st)
{
    int64_t *ns = arena_array(a, int64_t, d->threads.n + 1);

    for (size_t i = 0; i < d->threads.n; i++) {
        ns[i] = thread_ns(d->pid, d->threads.v[i]);
        st->cpu_ns += ns[i];
    }
    st->vcpu_ns = ns;
    st->n_vcpus = d->threads.n;
}

static void add_nics(struct domain *d, struct arena *a, struct hv_stats *st)
{
    struct hv_nic_stats *nics = arena_array(a, struct hv_nic_stats, d->nics.n + 1);

    /* User-mode networking counts nothing; taps are counted by the kernel (net.h). */
    for (size_t i = 0; i < d->nics.n; i++)
        nics[i].device = d->nics.v[i].device;
    st->nics = nics;
    st->n_nics = d->nics.n;
}

/* "/machine/peripheral/disk3/virtio-backend" -> 3, -1 = not a disk of ours */
static int device_of(const json_t *entry)
{
    static const char prefix[] = "/machine/peripheral/disk";
    const char *path = json_string_value(json_object_get(entry, "qdev"));

    if (!path)
        return -1;
    if (str_starts(path, prefix))
        return (int)strtol(path + sizeof(prefix) - 1, NULL, 10);
    return str_starts(path, "disk") ? (int)strtol(path + 4, NULL, 10) : -1;
}

static int64_t stat_of(const json_t *entry, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(entry, "stats"), key));
}

static void add_disks(const json_t *blocks, struct arena *a, struct hv_stats *st)
{
    struct hv_disk_stats *disks = arena_array(a, struct hv_disk_stats, json_array_size(blocks) + 1);
    const json_t *entry;
    size_t i;

    json_array_foreach (blocks, i, entry) {
        int device = device_of(entry);

        if (device < 0 || device > HV_MAX_DEVICE)
            continue;
        disks[st->n_disks++] = (struct hv_disk_stats){
            .device = device,
            .read_bytes = stat_of(entry, "rd_bytes"),
            .write_bytes = stat_of(entry, "wr_bytes"),
            .read_ops = stat_of(entry, "rd_operations"),
            .write_ops = stat_of(entry, "wr_operations"),
        };
    }
    st->disks = disks;
}

static int64_t free_memory(struct domain *d)
{
    _cleanup_json_ json_t *stats = NULL;
    struct error *e = domain_ask(
        d, "qom-get",
        pack("{s:s, s:s}", "path", "/machine/peripheral/balloon", "property", "guest-stats"),
        STATS_TIMEOUT_US, &stats);

    error_free(e);
    const json_t *v = json_object_get(json_object_get(stats, "stats"), "stat-available-memory");

    /* QEMU says all ones for a figure the guest did not give. */
    return v && json_integer_value(v) > 0 ? json_integer_value(v) : -1;
}

struct error *qemu_stats(struct hv *hv, const char *uuid, struct arena *a, struct hv_stats *ret)
{
    _cleanup_domain_ struct domain *d = NULL;
    _cleanup_json_ json_t *blocks = NULL;
    struct hv_stats st = {0};

    TRY(domain_take_live(hv, uuid, &d));
    TRY(domain_ask(d, "query-blockstats", NULL, STATS_TIMEOUT_US, &blocks));
    st.memory_free = free_memory(d);
    add_disks(blocks, a, &st);
    pthread_mutex_lock(&d->qemu->lock);
    st.memory_actual = d->memory_actual;
    add_cpu(d, a, &st);
    add_nics(d, a, &st);
    pthread_mutex_unlock(&d->qemu->lock);
    *ret = st;
    return NULL;
}
