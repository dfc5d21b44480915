/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows of network interfaces, shared by the calls on them and the set-up at the start. */

#include "gen/class/PIF_txn.h"
#include "gen/host_proto.h"

/* The untagged PIF of a device of a host, NULL if there is none. */
const struct pif_rec *pif_find_device(struct txn *t, const char *host, const char *device);

/* A new physical PIF with its metrics; joins the network of the interface's bridge, which is made
 * if there is none. */
struct pif_rec *pif_add(struct txn *t, const char *host, const struct host_interface_rec *found,
                        bool management);

/* What the host says of the interface now, into row and metrics. */
_must_check_ struct error *pif_refresh(struct txn *t, struct pif_rec *pif,
                                       const struct host_interface_rec *found);

/* The PIF by which a host is on a network, NULL = it is not. */
const struct pif_rec *pif_on_network(struct txn *t, const char *network, const char *host);

/* A PIF made of others (VLAN, bond, end of a tunnel), with its metrics: on the same host as `of`,
 * unplugged, without an address. VLAN: -1 = untagged. */
struct pif_rec *pif_add_made(struct txn *t, const struct pif_rec *of, const char *device,
                             const char *network, int64_t vlan);

/* The row and its metrics go. */
_must_check_ struct error *pif_remove(struct txn *t, const struct pif_rec *pif);

/* Of a PIF that is to carry another one: managed, and on which a network of ours can be put.
 * NETWORK_UNMANAGED, PIF_UNMANAGED, NETWORK_ALREADY_CONNECTED [host, pif]. */
_must_check_ struct error *pif_check_base(struct txn *t, const struct pif_rec *pif,
                                          const char *network);

/* Rules of VLANs, also for the old call PIF.create_VLAN. */
_must_check_ struct error *vlan_make(struct txn *t, const char *base, int64_t tag,
                                     const char *network, const char **ret_vlan);
_must_check_ struct error *vlan_unmake(struct txn *t, const char *pif);
/* Nothing may hang on the PIF when it goes: PIF_IS_MANAGEMENT_INTERFACE, PIF_TUNNEL_STILL_EXISTS,
 * VIF_IN_USE. */
_must_check_ struct error *pif_check_unused(struct txn *t, const struct pif_rec *pif);
/* A guest that talks over the network must not lose it: VIF_IN_USE [network, vif]. */
_must_check_ struct error *pif_check_vifs(struct txn *t, const struct pif_rec *pif);
