/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/libxl/config.h"

#include "base/mem.h"

/* Of the block interface (Xen, docs/man/xen-vbd-interface.7). */
#define XVD_MAJOR    202
#define XVD_OLD      16 /* disks that have the old numbers */
#define XVD_EXTENDED (1u << 28)

#define CPUS_MAX 4096 /* of a host, more than Xen knows */

static const char *find_pair(const struct hv_pair *pairs, size_t n, const char *key,
                             const char *fallback)
{
    for (size_t i = 0; i < n; i++) {
        if (streq(pairs[i].key, key))
            return pairs[i].value;
    }
    return fallback;
}

static const char *find(const struct hv_start *p, const char *key, const char *fallback)
{
    return find_pair(p->platform, p->n_platform, key, fallback);
}

static bool is_true(const char *s)
{
    return streq(s, "true") || streq(s, "1");
}

/* libxl frees what it is given. */
static char *give(const char *s)
{
    return str_empty(s) ? NULL : xstrdup(s);
}

static void set_bits(libxl_bitmap *map, int n)
{
    map->size = (uint32_t)(n + 7) / 8;
    map->map = xcalloc(map->size, 1);
    for (int i = 0; i < n; i++)
        map->map[i / 8] |= (uint8_t)(1 << i % 8);
}

/* ---- devices ---- */

/* Base 26 with letters: a ... z, aa ... (Linux numbers its disks so, and Xen reads it). */
void xl_vdev(int device, char ret[8])
{
    if (device < 26)
        snprintf(ret, 8, "xvd%c", 'a' + device);
    else
        snprintf(ret, 8, "xvd%c%c", 'a' + device / 26 - 1, 'a' + device % 26);
}

unsigned xl_devid(int device)
{
    unsigned n = (unsigned)device;

    return n < XVD_OLD ? XVD_MAJOR << 8 | n << 4 : XVD_EXTENDED | n << 8;
}

void xl_config_disk(const char *scripts, enum hv_kind kind, const struct hv_disk *d,
                    libxl_device_disk *ret)
{
    bool empty = str_empty(d->path);
    char vdev[8];

    libxl_device_disk_init(ret);
    xl_vdev(d->device, vdev);
    ret->vdev = xstrdup(vdev);
    ret->pdev_path = give(d->path);
    ret->format = empty ? LIBXL_DISK_FORMAT_EMPTY : LIBXL_DISK_FORMAT_RAW;
    /* The device model holds an HVM guest's optical drive, for it has a tray. */
    ret->backend =
        d->type == HV_CD && kind == HV_KIND_HVM ? LIBXL_DISK_BACKEND_QDISK : LIBXL_DISK_BACKEND_PHY;
    ret->readwrite = !d->read_only;
    ret->is_cdrom = d->type == HV_CD;
    ret->removable = 1;
    /* Xen's own script looks through all domains for who else has the disk; one owner is our rule
     * anyway. */
    if (ret->backend == LIBXL_DISK_BACKEND_PHY && !empty)
        ret->script = xasprintf("%s/xen-block", scripts);
}

void xl_config_nic(const char *scripts, enum hv_kind kind, const struct hv_nic *n,
                   libxl_device_nic *ret)
{
    unsigned b[6] = {0};

    libxl_device_nic_init(ret);
    if (sscanf(n->mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) == 6) {
        for (int i = 0; i < 6; i++)
            ret->mac[i] = (uint8_t)b[i];
    }
    ret->devid = n->device;
    ret->mtu = n->mtu > 0 ? n->mtu : 1500;
    ret->bridge = give(n->net == HV_NET_BRIDGE ? n->bridge : "");
    ret->script = xasprintf("%s/xen-vif", scripts);
    /* A whole machine has an emulated card besides, unless it comes later: libxl's default. */
    if (kind != HV_KIND_HVM)
        ret->nictype = LIBXL_NIC_TYPE_VIF;
}

static void add_devices(const struct xl_config_in *in, libxl_domain_config *c)
{
    const struct hv_start *p = in->start;

    c->disks = xcalloc(p->n_disks + 1, sizeof(*c->disks));
    for (size_t i = 0; i < p->n_disks; i++) {
        /* A paravirtual guest cannot have an empty drive. */
        if (p->kind != HV_KIND_HVM && str_empty(p->disks[i].path))
            continue;
        xl_config_disk(in->scripts, p->kind, &p->disks[i], &c->disks[c->num_disks++]);
    }
    c->nics = xcalloc(p->n_nics + 1, sizeof(*c->nics));
    for (size_t i = 0; i < p->n_nics; i++)
        xl_config_nic(in->scripts, p->kind, &p->nics[i], &c->nics[c->num_nics++]);
}

/* ---- the machine ---- */

static libxl_domain_type type_of(enum hv_kind kind)
{
    return kind == HV_KIND_PV    ? LIBXL_DOMAIN_TYPE_PV
           : kind == HV_KIND_PVH ? LIBXL_DOMAIN_TYPE_PVH
                                 : LIBXL_DOMAIN_TYPE_HVM;
}

static void set_kernel(const struct hv_start *p, libxl_domain_build_info *b)
{
    if (p->firmware != HV_FIRMWARE_DIRECT)
        return;
    b->kernel = give(p->kernel);
    b->ramdisk = give(p->ramdisk);
    b->cmdline = give(p->cmdline);
    if (!b->kernel && p->kind != HV_KIND_HVM)
        b->bootloader = xstrdup("pygrub");
}

static libxl_vga_interface_type vga_of(const char *name)
{
    return streq(name, "none")     ? LIBXL_VGA_INTERFACE_TYPE_NONE
           : streq(name, "cirrus") ? LIBXL_VGA_INTERFACE_TYPE_CIRRUS
                                   : LIBXL_VGA_INTERFACE_TYPE_STD;
}

static void set_hvm(const struct xl_config_in *in, libxl_domain_build_info *b)
{
    const struct hv_start *p = in->start;

    b->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
    b->u.hvm.bios = LIBXL_BIOS_TYPE_SEABIOS;
    if (p->firmware == HV_FIRMWARE_UEFI) {
        b->u.hvm.bios = LIBXL_BIOS_TYPE_OVMF;
        b->u.hvm.system_firmware = give(in->uefi);
    }
    b->u.hvm.boot = give(p->boot_order);
    b->u.hvm.serial = xstrdup("pty");
    b->u.hvm.vga.kind = vga_of(find(p, "vga", "std"));
    b->video_memkb = 16 << 10;
    libxl_defbool_set(&b->u.hvm.vnc.enable, true);
    /* With a colon libxl hands it to the device model as it is. */
    b->u.hvm.vnc.listen = xasprintf("unix:%s/vnc", in->dir);
    libxl_defbool_set(&b->u.hvm.vnc.findunused, false);
    if (b->u.hvm.vga.kind != LIBXL_VGA_INTERFACE_TYPE_NONE) { /* what points at a display */
        libxl_defbool_set(&b->u.hvm.usb, true);
        b->u.hvm.usbdevice = xstrdup("tablet");
    }
    libxl_defbool_set(&b->u.hvm.viridian, is_true(find(p, "viridian", "false")));
    libxl_defbool_set(&b->u.hvm.hpet, is_true(find(p, "hpet", "true")));
    libxl_defbool_set(&b->apic, is_true(find(p, "apic", "true")));
    libxl_defbool_set(&b->acpi, is_true(find(p, "acpi", "true")));
    libxl_defbool_set(&b->nested_hvm, is_true(find(p, "nested-virt", "false")));
}

static void set_memory(const struct hv_start *p, libxl_domain_build_info *b)
{
    b->max_memkb = (uint64_t)p->memory_max >> 10;
    b->target_memkb = (uint64_t)p->memory_target >> 10;
    b->shadow_memkb = LIBXL_MEMKB_DEFAULT;
}

/* A number of VM.VCPUs_params; left as it is when it is none, or out of range. */
static void set_number(const struct hv_start *p, const char *key, long most, int *number)
{
    const char *text = find_pair(p->scheduling, p->n_scheduling, key, "");
    char *end;
    long n = strtol(text, &end, 10);

    if (*text && !*end && n >= 0 && n <= most)
        *number = (int)n;
}

bool xl_read_mask(const char *text, libxl_bitmap *ret)
{
    bool any = false;

    ret->size = CPUS_MAX / 8;
    ret->map = xcalloc(ret->size, 1);
    while (*text) {
        char *end;
        long n = strtol(text, &end, 10);

        if (end == text || n < 0 || n >= CPUS_MAX || (*end && *end != ','))
            return false;
        ret->map[n / 8] |= (uint8_t)(1 << n % 8);
        any = true;
        text = *end ? end + 1 : end;
    }
    return any;
}

static void set_scheduling(const struct hv_start *p, libxl_domain_build_info *b)
{
    const char *mask = find_pair(p->scheduling, p->n_scheduling, "mask", "");
    libxl_bitmap cpus;

    set_number(p, "weight", UINT16_MAX, &b->sched_params.weight);
    set_number(p, "cap", UINT16_MAX, &b->sched_params.cap);
    if (xl_read_mask(mask, &cpus)) {
        b->vcpu_hard_affinity = xcalloc((size_t)p->vcpus_max, sizeof(cpus));
        for (int i = 0; i < p->vcpus_max; i++) {
            b->vcpu_hard_affinity[i].size = cpus.size;
            b->vcpu_hard_affinity[i].map = memcpy(xmalloc(cpus.size), cpus.map, cpus.size);
        }
        b->num_vcpu_hard_affinity = p->vcpus_max;
    }
    free(cpus.map);
}

void xl_config(const struct xl_config_in *in, libxl_domain_config *ret)
{
    const struct hv_start *p = in->start;
    libxl_domain_build_info *b = &ret->b_info;

    libxl_domain_config_init(ret);
    ret->c_info.type = type_of(p->kind);
    ret->c_info.name = xstrdup(in->name);
    libxl_uuid_from_string(&ret->c_info.uuid, p->uuid);
    libxl_domain_build_info_init_type(b, ret->c_info.type);
    b->max_vcpus = p->vcpus_max;
    set_bits(&b->avail_vcpus, p->vcpus);
    set_memory(p, b);
    set_scheduling(p, b);
    set_kernel(p, b);
    if (p->kind == HV_KIND_HVM)
        set_hvm(in, b);
    add_devices(in, ret);
    /* What comes next is for us to decide: nothing ends by itself. */
    ret->on_poweroff = ret->on_reboot = ret->on_crash = ret->on_watchdog = ret->on_soft_reset =
        LIBXL_ACTION_ON_SHUTDOWN_PRESERVE;
}
