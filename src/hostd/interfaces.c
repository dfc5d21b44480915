/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces of the host. Each physical one is the base of one bridge, named as XenServer
 * does (eth0: xenbr0): with the user driver the bridge is only the name guests' interfaces use. An
 * interface that is a port of a bridge already keeps that one, which has its addresses.
 * Where there is no physical one (a container), what there is counts.
 */
#include "hostd/facts.h"

#include "base/mem.h"
#include "base/vec.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_INTERFACES 64
#define SYS_NET        "/sys/class/net"

static int64_t number_in(struct arena *a, const char *device, const char *file, int64_t fallback)
{
    const char *line = facts_line(a, arena_printf(a, SYS_NET "/%s/%s", device, file));
    char *end;
    long long v = strtoll(line, &end, 10);

    return end == line ? fallback : v;
}

static const char *text_in(struct arena *a, const char *device, const char *file)
{
    return facts_line(a, arena_printf(a, SYS_NET "/%s/%s", device, file));
}

static const char *pci_path(struct arena *a, const char *device)
{
    _cleanup_free_ char *real = realpath(arena_printf(a, SYS_NET "/%s/device", device), NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    return slash ? arena_strdup(a, slash + 1) : "";
}

static bool has_device(struct arena *a, const char *name)
{
    return access(arena_printf(a, SYS_NET "/%s/device", name), F_OK) == 0;
}

/* Bridges, taps and the like are made for guests, not found. */
static bool is_made(struct arena *a, const char *name)
{
    static const char *const marks[] = {"bridge", "tun_flags", "bonding"};

    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        if (access(arena_printf(a, SYS_NET "/%s/%s", name, marks[i]), F_OK) == 0)
            return true;
    }
    return streq(name, "lo");
}

/* The bridge an interface is a port of, "" for none. */
static const char *bridge_over(struct arena *a, const char *device)
{
    _cleanup_free_ char *master = realpath(arena_printf(a, SYS_NET "/%s/master", device), NULL);
    const char *slash = master ? strrchr(master, '/') : NULL;

    if (!slash || access(arena_printf(a, "%s/bridge", master), F_OK) < 0)
        return "";
    return arena_strdup(a, slash + 1);
}

/* Whose addresses are the interface's. */
static const char *addressed(const struct host_interface_rec *r)
{
    return *r->bridge ? r->bridge : r->device;
}

static void describe(struct arena *a, const char *name, struct host_interface_rec *r)
{
    *r = *(const struct host_interface_rec *)host_interface_rec_info.defaults;
    r->device = name;
    r->bridge = bridge_over(a, name);
    r->mac = text_in(a, name, "address");
    r->mtu = number_in(a, name, "mtu", 1500);
    r->carrier = number_in(a, name, "carrier", 0) == 1;
    r->speed = MAX(0, number_in(a, name, "speed", 0));
    r->duplex = streq(text_in(a, name, "duplex"), "full");
    r->physical = has_device(a, name);
    r->pci_bus_path = pci_path(a, name);
    r->vendor_id = text_in(a, name, "device/vendor");
    r->device_id = text_in(a, name, "device/device");
}

static void add_addresses(struct arena *a, struct host_interface_rec *all, size_t n)
{
    struct ifaddrs *list;

    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        char ip[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];

        if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET)
            continue;
        for (size_t k = 0; k < n; k++) {
            if (!streq(addressed(&all[k]), i->ifa_name) || *all[k].ip)
                continue;
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, ip,
                      sizeof(ip));
            inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_netmask)->sin_addr, mask,
                      sizeof(mask));
            all[k].ip = arena_strdup(a, ip);
            all[k].netmask = arena_strdup(a, mask);
        }
    }
    freeifaddrs(list);
}

/* /proc/net/route: columns of hexadecimal numbers in host order; destination 0 is the default. */
static void add_gateways(struct arena *a, struct host_interface_rec *all, size_t n)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/net/route", "re");
    char line[512], name[IF_NAMESIZE];
    unsigned destination, gateway;

    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%15s %x %x", name, &destination, &gateway) != 3 || destination ||
            !gateway)
            continue;
        for (size_t k = 0; k < n; k++) {
            struct in_addr in = {.s_addr = gateway};
            char text[INET_ADDRSTRLEN];

            if (streq(addressed(&all[k]), name) && inet_ntop(AF_INET, &in, text, sizeof(text)))
                all[k].gateway = arena_strdup(a, text);
        }
    }
}

static int by_name(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;

    return strverscmp(*a, *b);
}

/* All names, or only those with hardware behind them. */
static size_t list_names(struct arena *a, bool hardware, const char **names)
{
    _cleanup_closedir_ DIR *dir = opendir(SYS_NET);
    const struct dirent *entry;
    size_t n = 0;

    while (dir && (entry = readdir(dir)) && n < MAX_INTERFACES) {
        if (entry->d_name[0] == '.' || is_made(a, entry->d_name) ||
            (hardware && !has_device(a, entry->d_name)))
            continue;
        names[n++] = arena_strdup(a, entry->d_name);
    }
    qsort(names, n, sizeof(*names), by_name);
    return n;
}

#define MADE_UP 2

/* The first one has an address; the second is there to be played with. */
static size_t make_up(struct arena *a, struct host_interface_rec *all)
{
    for (size_t i = 0; i < MADE_UP; i++) {
        struct host_interface_rec *r = &all[i];

        *r = *(const struct host_interface_rec *)host_interface_rec_info.defaults;
        r->device = arena_printf(a, "eth%zu", i);
        r->mac = arena_printf(a, "02:00:00:00:00:%02zx", i + 1);
        r->carrier = true;
        r->speed = 1000;
        r->duplex = true;
    }
    all[0].ip = "127.0.0.1";
    all[0].netmask = "255.0.0.0";
    return MADE_UP;
}

static bool has_bridge(const struct host_interface_rec *all, size_t n, const char *bridge)
{
    for (size_t i = 0; i < n; i++) {
        if (streq(all[i].bridge, bridge))
            return true;
    }
    return false;
}

/* Names the bridges of those that have none: by their place, unless another one has that name. */
static void name_bridges(struct arena *a, struct host_interface_rec *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t number = i; !*all[i].bridge; number++) {
            const char *name = arena_printf(a, "xenbr%zu", number);

            if (!has_bridge(all, n, name))
                all[i].bridge = name;
        }
    }
}

void facts_add_interfaces(struct arena *a, bool real, struct host_host_facts_result *f)
{
    const char **names = arena_array(a, const char *, MAX_INTERFACES);
    size_t n = real ? list_names(a, true, names) : 0;

    if (real && n == 0)
        n = list_names(a, false, names);
    struct host_interface_rec *all = arena_array(a, struct host_interface_rec, n + MADE_UP);

    for (size_t i = 0; i < n; i++)
        describe(a, names[i], &all[i]);
    add_addresses(a, all, n);
    add_gateways(a, all, n);
    if (n == 0)
        n = make_up(a, all);
    name_bridges(a, all, n);
    for (size_t i = 0; i < n; i++) {
        if (!*f->address && *all[i].ip)
            f->address = all[i].ip;
    }
    f->interfaces.n = n;
    f->interfaces.v = all;
}
