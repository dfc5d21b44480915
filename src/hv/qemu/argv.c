/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The argument vector of a guest's QEMU. See argv.h for the rules that place devices. */
#include "hv/qemu/argv.h"

#include "base/mem.h"
#include "base/str.h"

#define MACHINE_VERSION 1

const char *platform_find(const struct hv_start *p, const char *key, const char *fallback)
{
    for (size_t i = 0; i < p->n_platform; i++) {
        if (streq(p->platform[i].key, key))
            return p->platform[i].value;
    }
    return fallback;
}

static int nic_ports_for(const struct hv_start *p)
{
    for (size_t i = 0; i < p->n_nics; i++) {
        if (p->nics[i].device >= NIC_PORTS)
            return HV_MAX_NICS;
    }
    return NIC_PORTS;
}

struct machine machine_new(const struct hv_caps *caps, const struct hv_start *p)
{
    struct machine m = {.version = MACHINE_VERSION, .nic_ports = nic_ports_for(p)};
    bool kvm = streq(caps->accelerator, "kvm");

    snprintf(m.type, sizeof(m.type), "%s", QEMU_MACHINE);
    snprintf(m.accel, sizeof(m.accel), "%s", kvm ? "kvm" : "tcg");
    snprintf(m.cpu, sizeof(m.cpu), "%s", kvm ? "host" : "max");
    /* device_id 0002 is what Windows templates say: their installers know no virtio. */
    m.sata = streq(platform_find(p, "device_id", ""), "0002");
    return m;
}

/* A number a client wrote as text; anything else is the lower limit. */
static int number_between(const char *text, int low, int high)
{
    char *end;
    long v = strtol(text, &end, 10);

    return *end || end == text || v < low || v > high ? low : (int)v;
}

enum bus disk_bus(const struct machine *m, int device, bool cd)
{
    if (m->sata && device < SATA_PORTS)
        return BUS_SATA;
    return !cd && device < DISK_PORTS ? BUS_VIRTIO : BUS_SCSI;
}

static void set(json_t *j, const char *key, json_t *value)
{
    json_object_set_new(j, key, value);
}

json_t *disk_device(const struct machine *m, const struct hv_disk *d, int bootindex)
{
    _cleanup_free_ char *id = xasprintf("disk%d", d->device);
    _cleanup_free_ char *place = NULL;
    bool cd = d->type == HV_CD;
    json_t *j = json_object();

    set(j, "id", json_string(id));
    switch (disk_bus(m, d->device, cd)) {
    case BUS_VIRTIO:
        place = xasprintf("pd%d", d->device);
        set(j, "driver", json_string("virtio-blk-pci"));
        break;
    case BUS_SATA:
        place = xasprintf("ide.%d", d->device);
        set(j, "driver", json_string(cd ? "ide-cd" : "ide-hd"));
        break;
    default:
        place = xstrdup("scsi.0");
        set(j, "driver", json_string(cd ? "scsi-cd" : "scsi-hd"));
        set(j, "lun", json_integer(d->device));
        break;
    }
    set(j, "bus", json_string(place));
    if (!str_empty(d->vdi))
        set(j, "drive", json_string(d->node));
    /* Serial numbers of disks are cut at 20 characters by guests. */
    if (!cd && !str_empty(d->vdi)) {
        char serial[21];

        snprintf(serial, sizeof(serial), "%s", d->vdi);
        set(j, "serial", json_string(serial));
    }
    if (bootindex >= 0)
        set(j, "bootindex", json_integer(bootindex));
    return j;
}

json_t *nic_device(const struct machine *m, const struct hv_nic *n, int bootindex)
{
    _cleanup_free_ char *id = xasprintf("nic%d", n->device);
    _cleanup_free_ char *net = xasprintf("net%d", n->device);
    _cleanup_free_ char *port = xasprintf("pn%d", n->device);
    json_t *j = json_object();

    set(j, "driver", json_string(m->sata ? "e1000e" : "virtio-net-pci"));
    set(j, "id", json_string(id));
    set(j, "bus", json_string(port));
    set(j, "mac", json_string(n->mac));
    if (n->net != HV_NET_NONE)
        set(j, "netdev", json_string(net));
    if (n->mtu && !m->sata)
        set(j, "host_mtu", json_integer(n->mtu));
    if (bootindex >= 0)
        set(j, "bootindex", json_integer(bootindex));
    else
        set(j, "romfile", json_string(""));
    return j;
}

json_t *nic_netdev(const struct hv_nic *n, const char *fd)
{
    _cleanup_free_ char *id = xasprintf("net%d", n->device);
    json_t *j = json_object();

    set(j, "id", json_string(id));
    set(j, "type", json_string(n->net == HV_NET_TAP ? "tap" : "user"));
    if (n->net == HV_NET_TAP)
        set(j, "fd", json_string(fd));
    return j;
}

/* A comma would start another option. */
static void add_escaped(struct str *b, const char *s)
{
    for (; *s; s++) {
        if (*s == ',')
            str_add_char(b, ',');
        str_add_char(b, *s);
    }
}

/* A file of ours as the last part of an option; state directories may hold commas. */
static void add_file(struct spawn *s, const char *before, const char *path)
{
    _cleanup_str_ struct str b = STR_INIT;

    str_add(&b, before);
    add_escaped(&b, path);
    spawn_add(s, str_cstr(&b));
}

static void add_json(struct spawn *s, const char *option, json_t *j)
{
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(j);
    spawn_add(s, option);
    spawn_add(s, text);
}

/* Names come from people: what is shown in process lists is cut to harmless characters. */
static void add_name(struct spawn *s, const struct hv_start *p)
{
    _cleanup_str_ struct str b = STR_INIT;

    for (const char *c = p->name; *c && b.len < 64; c++)
        str_add_char(&b, (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                                 (*c >= 'A' && *c <= 'Z') || strchr("-_.", *c)
                             ? *c
                             : '_');
    spawn_add(s, "-name");
    spawn_addf(s, "guest=%s,debug-threads=on", b.len ? b.s : p->uuid);
    spawn_add(s, "-uuid");
    spawn_add(s, p->uuid);
}

static void add_machine(struct spawn *s, const struct argv_in *in)
{
    const struct hv_start *p = in->start;
    const struct machine *m = in->machine;
    int cores = number_between(platform_find(p, "cores-per-socket", "1"), 1, p->vcpus_max);

    spawn_add(s, "-machine");
    spawn_addf(s, "%s,accel=%s,usb=off,vmport=off,dump-guest-core=off,memory-backend=ram", m->type,
               m->accel);
    spawn_add(s, "-cpu");
    spawn_add(s, m->cpu);
    spawn_add(s, "-m");
    spawn_addf(s, "size=%lldB", (long long)p->memory_max);
    spawn_add(s, "-object");
    spawn_addf(s, "memory-backend-ram,id=ram,size=%lldB", (long long)p->memory_max);
    spawn_add(s, "-smp");
    if (p->vcpus_max % cores)
        cores = 1;
    spawn_addf(s, "cpus=%d,maxcpus=%d,sockets=%d,cores=%d,threads=1", p->vcpus, p->vcpus_max,
               p->vcpus_max / cores, cores);
    spawn_add(s, "-rtc");
    spawn_add(s, "base=utc,driftfix=slew");
    spawn_add(s, "-action");
    spawn_addf(s, "reboot=%s,shutdown=pause,panic=pause",
               p->on_reboot == HV_ACTION_STOP ? "shutdown" : "reset");
    spawn_add(s, "-S");
}

static void add_channels(struct spawn *s, const struct argv_in *in)
{
    spawn_add(s, "-chardev");
    spawn_addf(s, "socket,id=qmp,fd=%d,server=on,wait=off", CHILD_QMP);
    spawn_add(s, "-mon");
    spawn_add(s, "chardev=qmp,mode=control");
    spawn_add(s, "-chardev");
    _cleanup_free_ char *log = xasprintf("%s/console.log", in->dir);
    _cleanup_free_ char *serial =
        xasprintf("socket,id=serial,fd=%d,server=on,wait=off,logappend=on,logfile=", CHILD_SERIAL);

    add_file(s, serial, log);
    spawn_add(s, "-serial");
    spawn_add(s, "chardev:serial");
    spawn_add(s, "-chardev");
    spawn_addf(s, "socket,id=agent,fd=%d,server=on,wait=off", CHILD_AGENT);
    spawn_add(s, "-device");
    spawn_add(s, "virtio-serial-pci,id=vserial,bus=pcie.0,addr=02.0");
    spawn_add(s, "-device");
    spawn_add(s, "virtserialport,bus=vserial.0,nr=1,chardev=agent,id=agent,"
                 "name=org.qemu.guest_agent.0");
    spawn_add(s, "-pidfile");
    spawn_addf(s, "%s/pid", in->dir);
}

static void add_fixed_devices(struct spawn *s, const struct argv_in *in)
{
    static const char *const devices[] = {
        "virtio-balloon-pci,id=balloon,bus=pcie.0,addr=03.0,deflate-on-oom=on",
        "virtio-rng-pci,id=rng,rng=random,bus=pcie.0,addr=04.0",
        "virtio-scsi-pci,id=scsi,bus=pcie.0,addr=05.0",
        "pvpanic",
    };

    spawn_add(s, "-display");
    spawn_add(s, "none");
    spawn_add(s, "-vnc");
    spawn_add(s, "none");
    spawn_add(s, "-device");
    spawn_addf(s, "VGA,id=vga,bus=pcie.0,addr=01.0,vgamem_mb=%d",
               number_between(platform_find(in->start, "videoram", "16"), 8, 16) == 8 ? 8 : 16);
    spawn_add(s, "-object");
    spawn_add(s, "rng-random,id=random,filename=/dev/urandom");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        spawn_add(s, "-device");
        spawn_add(s, devices[i]);
    }
}

/* Every port exists from the start: a device can come later only where a port is free. */
static void add_ports(struct spawn *s, const struct machine *m)
{
    for (int i = 0; i < (m->sata ? 0 : DISK_PORTS); i++) {
        spawn_add(s, "-device");
        spawn_addf(s, "pcie-root-port,id=pd%d,bus=pcie.0,addr=10.%d,chassis=%d,slot=0%s", i, i,
                   i + 1, i ? "" : ",multifunction=on");
    }
    for (int i = 0; i < m->nic_ports; i++) {
        spawn_add(s, "-device");
        spawn_addf(s, "pcie-root-port,id=pn%d,bus=pcie.0,addr=%d.%d,chassis=%d,slot=0%s", i,
                   11 + i / 8, i % 8, DISK_PORTS + i + 1, i % 8 ? "" : ",multifunction=on");
    }
}

static void add_firmware(struct spawn *s, const struct argv_in *in)
{
    const struct hv_start *p = in->start;

    if (p->firmware == HV_FIRMWARE_UEFI) {
        spawn_add(s, "-drive");
        add_file(s, "if=pflash,format=raw,unit=0,readonly=on,file=", in->ovmf);
        spawn_add(s, "-drive");
        add_file(s, "if=pflash,format=raw,unit=1,file=", in->nvram);
    } else if (p->firmware == HV_FIRMWARE_DIRECT) {
        spawn_add(s, "-kernel");
        spawn_add(s, p->kernel);
        if (!str_empty(p->ramdisk)) {
            spawn_add(s, "-initrd");
            spawn_add(s, p->ramdisk);
        }
        if (!str_empty(p->cmdline)) {
            spawn_add(s, "-append");
            spawn_add(s, p->cmdline);
        }
    }
}

/* Boot order as indices: the letters in turn, and within a letter by device number. */
static void boot_indices(const struct hv_start *p, int disk[], int nic[])
{
    int next = 1; /* a kernel started directly has 0 */

    for (int i = 0; i <= HV_MAX_DEVICE; i++)
        disk[i] = -1;
    for (int i = 0; i < HV_MAX_NICS; i++)
        nic[i] = -1;
    for (const char *c = str_empty(p->boot_order) ? "cd" : p->boot_order; *c; c++) {
        for (int dev = 0; dev <= HV_MAX_DEVICE; dev++) {
            for (size_t i = 0; *c != 'n' && i < p->n_disks; i++) {
                if (p->disks[i].device == dev && disk[dev] < 0 &&
                    (p->disks[i].type == HV_CD) == (*c == 'd'))
                    disk[dev] = next++;
            }
            for (size_t i = 0; *c == 'n' && i < p->n_nics; i++) {
                if (p->nics[i].device == dev && nic[dev] < 0)
                    nic[dev] = next++;
            }
        }
    }
}

static void add_disks_and_nics(struct spawn *s, const struct argv_in *in)
{
    const struct hv_start *p = in->start;
    int disk_boot[HV_MAX_DEVICE + 1], nic_boot[HV_MAX_NICS];

    boot_indices(p, disk_boot, nic_boot);
    for (size_t i = 0; i < p->n_disks; i++) {
        const struct hv_disk *d = &p->disks[i];

        for (size_t b = 0; b < d->n_blockdevs; b++) {
            spawn_add(s, "-blockdev");
            spawn_add(s, d->blockdevs[b]);
        }
        add_json(s, "-device", disk_device(in->machine, d, disk_boot[d->device]));
    }
    for (size_t i = 0; i < p->n_nics; i++) {
        const struct hv_nic *n = &p->nics[i];
        char fd[16];

        snprintf(fd, sizeof(fd), "%d", CHILD_TAP + n->device);
        if (n->net != HV_NET_NONE)
            add_json(s, "-netdev", nic_netdev(n, fd));
        add_json(s, "-device", nic_device(in->machine, n, nic_boot[n->device]));
    }
}

void argv_build(struct spawn *s, const struct argv_in *in)
{
    spawn_init(s, QEMU_PROGRAM);
    add_name(s, in->start);
    spawn_add(s, "-no-user-config");
    spawn_add(s, "-nodefaults");
    spawn_add(s, "-sandbox");
    spawn_add(s, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    add_machine(s, in);
    add_firmware(s, in);
    add_channels(s, in);
    add_fixed_devices(s, in);
    add_ports(s, in->machine);
    add_disks_and_nics(s, in);
    if (in->start->resume_fd >= 0) {
        spawn_add(s, "-incoming");
        spawn_add(s, "defer");
    }
}
