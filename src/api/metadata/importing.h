/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the parts of an import: what became of each object. Lives in one transaction. */

#include "api/metadata/metadata.h"
#include "base/map.h"
#include "gen/class/VM_txn.h"

struct entry {
    const struct ova_object *o;
    const char *ref;     /* of ours, NULL = there is none */
    struct vm_rec *made; /* of a VM: the row it became, NULL = it is left as it is */
    bool suspended;      /* of a VM: it stays so */
    uint64_t taken[6];   /* of a VM: numbers of its disks, network cards, floppy drives */
};

struct importing {
    struct txn *t;
    struct arena *a; /* of the transaction */
    struct daemon *daemon;
    const struct metadata_options *options;
    struct entry *entries;
    size_t n;
    struct strmap index; /* id -> struct entry */
};

/* NULL for null; IMPORT_ERROR_FAILED_TO_FIND_OBJECT for an id that nobody has. */
_must_check_ struct error *import_find(struct importing *im, const char *id, struct entry **ret);
/* The reference that takes the place of an id; null where there is none. A ref_mapping's fn. */
const char *import_ref(void *ctx, unsigned class_id, const char *id);

/* import_vm.c: rows for all VMs of the archive; then what stands in them. */
_must_check_ struct error *import_vms_begin(struct importing *im);
_must_check_ struct error *import_vms_fill(struct importing *im);

/* import_devices.c: for those VMs. */
_must_check_ struct error *import_devices(struct importing *im);
