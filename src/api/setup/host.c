/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the host itself: host, host_metrics, host_cpu. */
#include "api/host/host.h"
#include "api/common/lists.h"
#include "api/setup/rows.h"
#include "base/world.h"
#include "gen/class/host_cpu_txn.h"
#include "gen/class/host_metrics_txn.h"
#include "gen/class/host_txn.h"
#include "stream/dump.h"

/* Level of the XenAPI that is spoken. */
#define API_MAJOR 2
#define API_MINOR 21

/* Clients choose their ways by product_version; it says whose API this is, not our own age. */
#define COMPATIBLE_PRODUCT_VERSION "8.3.0"

static struct map_string_string software_version(const struct setup *s)
{
    const struct host_host_facts_result *f = s->facts;
    const char *const pairs[] = {
        "product_brand",
        "Xenolith",
        "product_version",
        COMPATIBLE_PRODUCT_VERSION,
        "product_version_text",
        COMPATIBLE_PRODUCT_VERSION,
        "product_version_text_short",
        "8.3",
        "build_number",
        s->daemon->version,
        "xenolith",
        s->daemon->version,
        "platform_name",
        "Xenolith",
        "platform_version",
        "3.4.0",
        "xapi",
        "2.21",
        "xapi_build",
        s->daemon->version,
        "xen",
        f->driver_version,
        "hypervisor",
        f->driver,
        "accelerator",
        f->accelerator,
        "linux",
        f->kernel,
        "hostname",
        f->hostname,
        "network_backend",
        "bridge",
        "date",
        s->daemon->date,
        "db_schema",
        arena_printf(s->a, "%d.%d", DUMP_SCHEMA_MAJOR, DUMP_SCHEMA_MINOR),
        "dbv",
        "0.0.1",
        NULL,
    };

    return map_of(s->a, pairs);
}

static const char *int_text(const struct setup *s, int64_t v)
{
    return arena_printf(s->a, "%lld", (long long)v);
}

static struct map_string_string cpu_info(const struct setup *s)
{
    static const struct host_processor_rec unknown = {
        .vendor = "", .model_name = "", .stepping = "", .flags = ""};
    const struct host_host_facts_result *f = s->facts;
    const struct host_processor_rec *cpu = f->cpus.n ? &f->cpus.v[0] : &unknown;
    const char *const pairs[] = {
        "cpu_count",
        int_text(s, (int64_t)f->cpus.n),
        "socket_count",
        int_text(s, f->sockets),
        "threads_per_core",
        int_text(s, f->threads_per_core),
        "vendor",
        cpu->vendor,
        "speed",
        int_text(s, cpu->mhz),
        "modelname",
        cpu->model_name,
        "family",
        int_text(s, cpu->family),
        "model",
        int_text(s, cpu->model),
        "stepping",
        cpu->stepping,
        "flags",
        cpu->flags,
        "features",
        "",
        "features_hvm",
        "",
        "features_hvm_host",
        "",
        "features_pv",
        "",
        "features_pv_host",
        "",
        NULL,
    };

    return map_of(s->a, pairs);
}

static struct set_string capabilities(const struct setup *s)
{
    struct set_string set = {0};

    if (s->facts->capabilities.n)
        return s->facts->capabilities;
    set_add(s->a, &set, "hvm-3.0-x86_32");
    set_add(s->a, &set, "hvm-3.0-x86_32p");
    set_add(s->a, &set, "hvm-3.0-x86_64");
    return set;
}

static void fill_new(struct setup *s, struct host_rec *h)
{
    static const char *const license[] = {"sku_type",           "free", "version", "", "expiry",
                                          "20991231T23:59:59Z", NULL};
    static const char *const chipset[] = {"iommu", "false", "igd", "false", NULL};
    static const int64_t versions[] = {0, 1, 2};

    h->name_label = h->hostname;
    h->ssl_legacy = false;
    h->name_description = "Default install";
    h->API_version_vendor = "XenSource";
    set_add(s->a, &h->supported_bootloaders, "pygrub");
    set_add(s->a, &h->supported_bootloaders, "eliloader");
    h->edition = "free";
    set_add(s->a, &h->editions, "free");
    h->license_params = setup_restrictions(s->a);
    for (size_t i = 0; license[i]; i += 2)
        map_set(s->a, &h->license_params, license[i], license[i + 1]);
    h->chipset_info = map_of(s->a, chipset);
    h->virtual_hardware_platform_versions = (struct set_int){ARRAY_SIZE(versions), versions};
    h->iscsi_iqn = arena_printf(s->a, "iqn.2026-01.org.xenolith:%.8s", h->uuid);
}

static void refresh(struct setup *s, struct host_rec *h)
{
    const struct host_host_facts_result *f = s->facts;

    h->hostname = f->hostname;
    h->address = f->address;
    h->API_version_major = API_MAJOR;
    h->API_version_minor = API_MINOR;
    h->software_version = software_version(s);
    h->cpu_info = cpu_info(s);
    h->capabilities = capabilities(s);
    h->bios_strings = f->bios;
    h->timezone = f->timezone;
    h->sched_policy = f->scheduler;
    h->enabled = !map_is_true(&h->other_config, HOST_STAYS_DISABLED);
    h->boot_free_mem = s->memory_free;
    map_set(s->a, &h->other_config, "boot_time", int_text(s, f->boot_time));
    map_set(s->a, &h->other_config, "agent_start_time", int_text(s, now_s()));
}

static void refresh_metrics(struct setup *s, struct host_metrics_rec *m)
{
    m->memory_total = s->facts->memory_total;
    m->memory_free = s->memory_free;
    m->live = true;
    m->last_updated = now_s();
}

static void fill_cpu(struct host_cpu_rec *c, const struct host_processor_rec *p)
{
    c->number = p->number;
    c->vendor = p->vendor;
    c->modelname = p->model_name;
    c->speed = p->mhz;
    c->family = p->family;
    c->model = p->model;
    c->stepping = p->stepping;
    c->flags = p->flags;
}

/* One row a processor, in order; surplus ones go. */
static struct error *setup_cpus(struct setup *s)
{
    const struct host_cpu_rec *const *rows;
    size_t n_rows = txn_all_host_cpu(s->t, &rows), done = 0;

    for (size_t i = 0; i < n_rows; i++) {
        struct host_cpu_rec *c;

        if (!streq(rows[i]->host, s->host))
            continue;
        if (done >= s->facts->cpus.n) {
            TRY(txn_delete_host_cpu(s->t, rows[i]->self));
            continue;
        }
        TRY(txn_edit_host_cpu(s->t, rows[i]->self, &c));
        fill_cpu(c, &s->facts->cpus.v[done++]);
    }
    for (; done < s->facts->cpus.n; done++) {
        struct host_cpu_rec *c = txn_new_host_cpu(s->t);

        c->host = s->host;
        fill_cpu(c, &s->facts->cpus.v[done]);
    }
    return NULL;
}

struct error *setup_host(struct setup *s)
{
    struct host_metrics_rec *m;
    struct host_rec *h;

    if (s->first) {
        h = txn_new_host(s->t);
        m = txn_new_host_metrics(s->t);
        h->metrics = m->self;
        refresh(s, h);
        fill_new(s, h);
        s->host = h->self;
    } else {
        TRY(txn_edit_host(s->t, s->host, &h));
        refresh(s, h);
        TRY(txn_edit_host_metrics(s->t, h->metrics, &m));
    }
    refresh_metrics(s, m);
    return setup_cpus(s);
}
