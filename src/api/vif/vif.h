/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the bodies of VIF. */

#include "gen/class/VIF_txn.h"
#include "gen/class/VM_txn.h"
#include "gen/class/network_txn.h"

/* What is allowed to be joined by a card: NETWORK_UNMANAGED [network]. */
_must_check_ struct error *vif_check_network(struct txn *t, const char *network);
/* Each an address of the family, AF_INET or AF_INET6:
 * INVALID_IP_ADDRESS_SPECIFIED [field]. */
_must_check_ struct error *vif_check_addresses(const struct set_string *addresses, int family,
                                               const char *field);
/* VLAN numbers 0..4094: VLAN_TAG_INVALID [number]. */
_must_check_ struct error *vif_check_trunks(const struct set_int *trunks);
