/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/libxl/guest_keys.h"

#include "base/mem.h"

static const struct {
    const char *path;
    const char *key;
} plain[] = {
    {"attr/PVAddons/MajorVersion", "PV_drivers_version/major"},
    {"attr/PVAddons/MinorVersion", "PV_drivers_version/minor"},
    {"attr/PVAddons/MicroVersion", "PV_drivers_version/micro"},
    {"attr/PVAddons/BuildVersion", "PV_drivers_version/build"},
    {"data/os_name", "os_version/name"},
    {"data/os_uname", "os_version/uname"},
    {"data/os_distro", "os_version/distro"},
    {"data/os_majorver", "os_version/major"},
    {"data/os_minorver", "os_version/minor"},
    {"attr/os/spmajor", "os_version/spmajor"},
    {"attr/os/spminor", "os_version/spminor"},
    {"data/host_name_dns", "hostname"},
    {"data/meminfo_total", "memory/total"},
    {"data/meminfo_free", "memory/free"},
    {"data/ts", "other/data-ts"},
    {"data/cant_suspend_reason", "other/data-cant-suspend-reason"},
    {"feature/hotplug/vbd", "can_use_hotplug_vbd"},
    {"feature/hotplug/vif", "can_use_hotplug_vif"},
};

/* The number right after a prefix and what follows it, which begins with a slash; NULL = not so. */
static const char *number_after(const char *path, const char *prefix, int *ret)
{
    int n = 0, digits = 0;

    if (!str_starts(path, prefix))
        return NULL;
    for (path += strlen(prefix); *path >= '0' && *path <= '9' && digits < 4; path++, digits++)
        n = n * 10 + (*path - '0');
    *ret = n;
    return digits && *path == '/' ? path + 1 : NULL;
}

/* Interfaces as older agents name them. */
static const char *legacy_interface(const char *path, int *ret)
{
    static const char *const names[] = {"eth", "xenbr", "eno", "ens", "emp", "enx"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "attr/%s", names[i]);
        const char *rest = number_after(path, prefix, ret);

        if (rest)
            return rest;
    }
    return NULL;
}

static const char *address_key(struct arena *a, const char *path, const char **ret_also)
{
    int nic, i;
    const char *rest = number_after(path, "attr/vif/", &nic);
    const char *legacy = rest ? NULL : legacy_interface(path, &nic);

    if (!rest)
        rest = number_after(path, "xenserver/attr/net-sriov-vf/", &nic);
    if ((rest && streq(rest, "ipv4/0")) || (legacy && streq(legacy, "ip"))) {
        *ret_also = arena_printf(a, "networks/%d/ip", nic);
        return arena_printf(a, "networks/%d/ipv4/0", nic);
    }
    if (rest && (str_starts(rest, "ipv4/") || str_starts(rest, "ipv6/")))
        return arena_printf(a, "networks/%d/%s", nic, rest);
    const char *tail = legacy ? number_after(legacy, "ipv6/", &i) : NULL;

    return tail && streq(tail, "addr") ? arena_printf(a, "networks/%d/ipv6/%d", nic, i) : NULL;
}

const char *guest_key(struct arena *a, const char *path, const char **ret_also)
{
    *ret_also = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        if (streq(path, plain[i].path))
            return plain[i].key;
    }
    if (str_starts(path, "control/feature-"))
        return arena_printf(a, "other/%s", path + strlen("control/"));
    if (str_starts(path, "data/service/"))
        return arena_printf(a, "services/%s", path + strlen("data/service/"));
    return address_key(a, path, ret_also);
}
