/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an entry of the list of default templates to the fields of a VM. */
#include "rules/templates.h"

#include "base/mem.h"
#include "base/str.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

/* Longest of the maps below. */
#define PAIRS_MAX 24

struct pairs {
    const char *k[PAIRS_MAX];
    const char *v[PAIRS_MAX];
    size_t n;
};

static void add(struct pairs *p, const char *key, const char *value)
{
    p->k[p->n] = key;
    p->v[p->n++] = value;
}

static struct map_string_string to_map(struct arena *a, const struct pairs *p)
{
    return (struct map_string_string){p->n, arena_memdup(a, p->k, p->n * sizeof(p->k[0])),
                                      arena_memdup(a, p->v, p->n * sizeof(p->v[0]))};
}

static struct map_string_string platform_of(const struct template_info *t, struct arena *a)
{
    struct pairs p = {.n = 0};
    bool windows = t->kind == TEMPLATE_WINDOWS;
    bool uefi = t->flags & TEMPLATE_UEFI;

    add(&p, "acpi", "1");
    add(&p, "apic", "true");
    add(&p, "pae", "true");
    add(&p, "nx", "true");
    add(&p, "hpet", "true");
    add(&p, "viridian", t->kind == TEMPLATE_LINUX ? "false" : "true");
    if (t->kind == TEMPLATE_OTHER)
        return to_map(a, &p);
    add(&p, "vga", "std");
    add(&p, "videoram", "8");
    add(&p, "device_id", windows ? "0002" : "0001");
    add(&p, "secureboot", uefi ? "auto" : "false");
    if (!uefi)
        add(&p, "device-model", "qemu-upstream-compat");
    if (windows) {
        add(&p, "cores-per-socket", "2");
        add(&p, "viridian_time_ref_count", "true");
        add(&p, "viridian_reference_tsc", "true");
        add(&p, "viridian_apic_assist", "true");
        add(&p, "viridian_crash_ctl", "true");
        add(&p, "viridian_stimer", "true");
    }
    if (t->flags & TEMPLATE_SLATE)
        add(&p, "acpi_laptop_slate", "1");
    if (t->flags & TEMPLATE_VTPM)
        add(&p, "vtpm", "true");
    return to_map(a, &p);
}

static struct map_string_string other_config_of(const struct template_info *t, struct arena *a)
{
    struct pairs p = {.n = 0};

    add(&p, "default_template", "true");
    if (t->kind == TEMPLATE_LINUX)
        add(&p, "linux_template", "true");
    add(&p, "install-methods", t->kind == TEMPLATE_LINUX ? "cdrom,nfs,http,ftp" : "cdrom");
    if (t->flags & TEMPLATE_64BIT)
        add(&p, "install-arch", "x86_64");
    if (t->disk_gib)
        add(&p, "disks",
            arena_printf(a,
                         "<provision><disk device=\"0\" size=\"%lld\" sr=\"\" bootable=\"true\" "
                         "type=\"system\"/></provision>",
                         (long long)(t->disk_gib * GIB)));
    return to_map(a, &p);
}

static const char *recommendations_of(const struct template_info *t, struct arena *a)
{
    bool uefi = t->flags & TEMPLATE_UEFI;

    return arena_printf(a,
                        "<restrictions>"
                        "<restriction field=\"memory-static-max\" max=\"%lld\"/>"
                        "<restriction field=\"vcpus-max\" max=\"64\"/>"
                        "<restriction field=\"has-vendor-device\" value=\"%s\"/>"
                        "<restriction field=\"supports-bios\" value=\"%s\"/>"
                        "<restriction field=\"supports-uefi\" value=\"yes\"/>"
                        "<restriction field=\"supports-secure-boot\" value=\"%s\"/>"
                        "<restriction field=\"allow-gpu-passthrough\" value=\"1\"/>"
                        "<restriction field=\"allow-vgpu\" value=\"1\"/>"
                        "<restriction max=\"255\" property=\"number-of-vbds\"/>"
                        "<restriction max=\"7\" property=\"number-of-vifs\"/>"
                        "</restrictions>",
                        (long long)(t->max_gib * GIB),
                        t->kind == TEMPLATE_WINDOWS ? "true" : "false",
                        t->flags & TEMPLATE_VTPM ? "no" : "yes", uefi ? "yes" : "no");
}

void template_fill(const struct template_info *t, struct arena *a, struct vm_rec *vm)
{
    struct pairs boot = {.n = 0};
    int vcpus = t->kind == TEMPLATE_WINDOWS ? 2 : 1;

    add(&boot, "order", t->boot_order);
    add(&boot, "firmware", t->flags & TEMPLATE_UEFI ? "uefi" : "bios");
    vm->uuid = t->uuid;
    vm->name_label = t->name_label;
    vm->name_description = t->kind == TEMPLATE_OTHER
                               ? "Installs a system that has no template of its own, from media"
                               : arena_printf(a, "Installs %s in a new VM", t->name_label);
    vm->reference_label = t->reference_label;
    vm->user_version = 1;
    vm->is_a_template = vm->is_default_template = true;
    vm->domain_type = DOMAIN_TYPE_HVM;
    vm->HVM_boot_policy = "BIOS order";
    vm->HVM_boot_params = to_map(a, &boot);
    vm->memory_static_min = t->min_mib * MIB;
    vm->memory_static_max = vm->memory_dynamic_min = vm->memory_dynamic_max =
        2 * vm->memory_static_min;
    vm->VCPUs_max = vm->VCPUs_at_startup = vcpus;
    vm->actions_after_shutdown = ON_NORMAL_EXIT_DESTROY;
    vm->actions_after_reboot = ON_NORMAL_EXIT_RESTART;
    vm->actions_after_crash = ON_CRASH_BEHAVIOUR_RESTART;
    vm->platform = platform_of(t, a);
    vm->other_config = other_config_of(t, a);
    vm->recommendations = recommendations_of(t, a);
    /* Device ids other than the first need the second generation of the virtual hardware. */
    vm->hardware_platform_version = t->kind == TEMPLATE_WINDOWS ? 2 : 0;
}
