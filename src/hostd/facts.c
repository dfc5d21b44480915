/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostd/facts.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <sys/utsname.h>

#define FILE_MAX (4u << 20)

const char *facts_line(struct arena *a, const char *path)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_error_ struct error *e = io_read_file(path, 65536, &text);

    return e ? "" : arena_memdup0(a, str_cstr(&text), strcspn(str_cstr(&text), "\n"));
}

/* "key   : value" -> value, or NULL if the line is another key's */
static const char *value_of(const char *line, const char *key)
{
    size_t n = strlen(key);

    if (strncmp(line, key, n) != 0)
        return NULL;
    line += n;
    line += strspn(line, " \t");
    return *line == ':' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

int64_t facts_meminfo(const char *key)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_error_ struct error *e = io_read_file("/proc/meminfo", FILE_MAX, &text);
    char *save = NULL;

    if (e)
        return 0;
    for (char *line = strtok_r(text.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *v = value_of(line, key);

        if (v)
            return strtoll(v, NULL, 10) * 1024; /* kB there means 1024 bytes */
    }
    return 0;
}

struct cpu_scan {
    struct arena *a;
    struct host_processor_rec *cpus;
    size_t n, max;
    int64_t sockets; /* highest physical id + 1 */
    int64_t siblings, cores;
};

static void scan_line(struct cpu_scan *s, const char *line)
{
    const char *v;

    if ((v = value_of(line, "processor"))) {
        if (s->n < s->max)
            s->cpus[s->n++] = (struct host_processor_rec){.number = strtoll(v, NULL, 10),
                                                          .vendor = "",
                                                          .model_name = "",
                                                          .stepping = "",
                                                          .flags = ""};
        return;
    }
    if (!s->n)
        return;
    struct host_processor_rec *cpu = &s->cpus[s->n - 1];

    if ((v = value_of(line, "vendor_id")))
        cpu->vendor = arena_strdup(s->a, v);
    else if ((v = value_of(line, "model name")))
        cpu->model_name = arena_strdup(s->a, v);
    else if ((v = value_of(line, "cpu MHz")))
        cpu->mhz = strtoll(v, NULL, 10);
    else if ((v = value_of(line, "cpu family")))
        cpu->family = strtoll(v, NULL, 10);
    else if ((v = value_of(line, "model")))
        cpu->model = strtoll(v, NULL, 10);
    else if ((v = value_of(line, "stepping")))
        cpu->stepping = arena_strdup(s->a, v);
    else if ((v = value_of(line, "flags")))
        cpu->flags = arena_strdup(s->a, v);
    else if ((v = value_of(line, "physical id")))
        s->sockets = MAX(s->sockets, strtoll(v, NULL, 10) + 1);
    else if ((v = value_of(line, "siblings")))
        s->siblings = strtoll(v, NULL, 10);
    else if ((v = value_of(line, "cpu cores")))
        s->cores = strtoll(v, NULL, 10);
}

void facts_add_cpus(struct arena *a, struct host_host_facts_result *f)
{
    _cleanup_str_ struct str text = STR_INIT;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct cpu_scan s = {.a = a, .max = online > 0 ? (size_t)online : 1, .sockets = 1};
    _cleanup_error_ struct error *e = io_read_file("/proc/cpuinfo", FILE_MAX, &text);
    char *save = NULL;

    s.cpus = arena_array(a, struct host_processor_rec, s.max);
    if (e)
        return;
    for (char *line = strtok_r(text.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        scan_line(&s, line);
    f->cpus.n = s.n;
    f->cpus.v = s.cpus;
    f->sockets = s.sockets;
    f->threads_per_core = s.cores > 0 ? MAX(1, s.siblings / s.cores) : 1;
}

/* Keys of host.bios_strings and where Linux has them. */
static const struct {
    const char *key, *file;
} bios_files[] = {
    {"bios-vendor", "bios_vendor"},
    {"bios-version", "bios_version"},
    {"system-manufacturer", "sys_vendor"},
    {"system-product-name", "product_name"},
    {"system-version", "product_version"},
    {"system-serial-number", "product_serial"},
    {"baseboard-manufacturer", "board_vendor"},
    {"baseboard-product-name", "board_name"},
    {"baseboard-version", "board_version"},
    {"baseboard-serial-number", "board_serial"},
};

static void add_bios(struct arena *a, struct host_host_facts_result *f)
{
    size_t n = ARRAY_SIZE(bios_files);
    const char **k = arena_array(a, const char *, n), **v = arena_array(a, const char *, n);

    for (size_t i = 0; i < n; i++) {
        k[i] = bios_files[i].key;
        v[i] = facts_line(a, arena_printf(a, "/sys/class/dmi/id/%s", bios_files[i].file));
    }
    f->bios = (struct map_string_string){.n = n, .k = k, .v = v};
}

static int64_t boot_time(void)
{
    _cleanup_str_ struct str text = STR_INIT;
    _cleanup_error_ struct error *e = io_read_file("/proc/stat", FILE_MAX, &text);
    const char *at = e ? NULL : strstr(str_cstr(&text), "\nbtime ");

    return at ? strtoll(at + 7, NULL, 10) : 0;
}

void facts_add_system(struct arena *a, struct host_host_facts_result *f)
{
    struct utsname u;

    if (uname(&u) == 0) {
        f->hostname = arena_strdup(a, u.nodename);
        f->kernel = arena_strdup(a, u.release);
    }
    f->boot_time = boot_time();
    f->memory_total = facts_meminfo("MemTotal");
    f->boot_id = facts_line(a, "/proc/sys/kernel/random/boot_id");
    f->privileged = geteuid() == 0;
    add_bios(a, f);
}
