/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks and the drivers in which a bridge is but a name. Drivers that make real bridges get
 * files of their own.
 */
#include "net/net.h"

#include "base/mem.h"

#include <ctype.h>

/* IFNAMSIZ - 1, the kernel's limit (linux/if.h). */
#define NAME_MAX_LEN 15

struct net_driver {
    const char *name;
    enum net_port_kind port;
};

static const struct net_driver drivers[] = {
    {.name = "user", .port = NET_PORT_USER},
    {.name = "bridge", .port = NET_PORT_BRIDGE},
    {.name = "sim", .port = NET_PORT_NONE},
};

struct net {
    const struct net_driver *driver;
};

struct error *net_open(const char *driver, struct net **ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (streq(drivers[i].name, driver)) {
            *ret = xnew(struct net);
            (*ret)->driver = &drivers[i];
            return NULL;
        }
    }
    return error_text("no network driver is called %s", driver);
}

void net_close(struct net *n)
{
    free(n);
}

const char *net_driver(const struct net *n)
{
    return n->driver->name;
}

static struct error *check_name(const char *what, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return error_api("INVALID_VALUE", 2, what, name);
    }
    if (len == 0 || len > NAME_MAX_LEN || name[0] == '.' || name[0] == '-')
        return error_api("INVALID_VALUE", 2, what, name);
    return NULL;
}

struct error *net_attach(struct net *n, const char *bridge, const char *device, int mtu)
{
    TRY(check_name("bridge", bridge));
    if (*device)
        TRY(check_name("device", device));
    if (mtu < 68 || mtu > 65535)
        return error_api("INVALID_VALUE", 2, "mtu", "out of range");
    return NULL;
}

struct error *net_detach(struct net *n, const char *bridge)
{
    return check_name("bridge", bridge);
}

struct error *net_port(struct net *n, const struct net_port_spec *spec, struct net_port *ret)
{
    TRY(check_name("bridge", spec->bridge));
    *ret =
        (struct net_port){.kind = spec->disabled ? NET_PORT_NONE : n->driver->port, .tap_fd = -1};
    return NULL;
}
