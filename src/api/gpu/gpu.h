/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Graphics cards (PGPU), groups of those of one kind, and what VMs ask of a group (VGPU). */

#include "gen/class/GPU_group_txn.h"
#include "gen/class/PCI_txn.h"
#include "gen/class/PGPU_txn.h"

/* The row of a graphics card, in a group of its kind, which is made if there is none; other devices
 * pass. */
_must_check_ struct error *pgpu_refresh(struct txn *t, const struct pci_rec *pci, bool display);
/* "vendor/device" of the card. */
const char *pgpu_kind(struct txn *t, const struct pgpu_rec *pgpu);
/* How many more VGPUs of the type it takes. */
int64_t pgpu_capacity(struct txn *t, const struct pgpu_rec *pgpu, const char *type);

/* The group's kinds and types are those of its cards. */
_must_check_ struct error *gpu_group_update(struct txn *t, const char *group);
/* "OpaqueRef:1; OpaqueRef:2" */
const char *gpu_refs_text(struct arena *a, const struct set_ref *s);
