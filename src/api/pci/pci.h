/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rows of PCI devices, as the host tells them. */

#include "gen/class/PCI_txn.h"
#include "gen/host_proto.h"

struct call;

/* What it is already is fine; a change needs the machine to start in another way and is refused.
 * wanted, *ret: enum pci_dom0_access. */
_must_check_ struct error *pci_change_dom0_access(struct call *c, const char *pci, int wanted,
                                                  int *ret);

/* Rows for what is there; those of devices that are gone go, unless a VM has them. Graphics cards
 * become PGPUs in groups of their kind; PIFs are told their device. */
_must_check_ struct error *pci_refresh(struct txn *t, const char *host,
                                       const struct host_host_devices_result *found);
