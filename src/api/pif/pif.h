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
