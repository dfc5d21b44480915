/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The networks of a host: named bridges to which guests' interfaces are joined.
 *
 * Drivers:
 *   user   no privilege: QEMU's own user-mode network behind each guest interface. Guests reach
 *          out, nobody reaches them, they do not see each other. Bridges are names only.
 *   bridge the hypervisor joins guests' interfaces to bridges of the host, and makes one that is
 *          not there (a network without a way out)
 *   sim    nothing passes: for simulated guests
 *
 * Any thread; calls block for milliseconds. Attaching what is attached and detaching what is not
 * succeed. A port asked for on a bridge that was never attached is given all the same where names
 * are all there is (all drivers here).
 */

#include "base/error.h"

struct net;

/* What a guest's interface is joined to. */
enum net_port_kind { NET_PORT_NONE, NET_PORT_USER, NET_PORT_TAP, NET_PORT_BRIDGE };
struct net_port {
    enum net_port_kind kind;
    int tap_fd; /* NET_PORT_TAP: owned by whoever asked; else -1 */
};

struct net_port_spec {
    const char *vm; /* uuid */
    int device;
    const char *bridge;
    const char *mac;
    bool disabled; /* no traffic passes */
};

/* "user", "bridge" or "sim". */
_must_check_ struct error *net_open(const char *driver, struct net **ret);
void net_close(struct net *n); /* NULL is accepted; networks stay as they are */
const char *net_driver(const struct net *n);
_must_check_ struct error *net_attach(struct net *n, const char *bridge, const char *device,
                                      int mtu);
_must_check_ struct error *net_detach(struct net *n, const char *bridge);
_must_check_ struct error *net_port(struct net *n, const struct net_port_spec *spec,
                                    struct net_port *ret);
