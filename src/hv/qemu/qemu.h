/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The qemu driver's door for storage: QMP of a running domain. A guest's QEMU owns the disk chains
 * it has open, so snapshots, merges and exports of them go through it (storage/graph.h).
 */

#include "hv/hv.h"
#include "hv/qmp.h"

struct domain;

struct hv_qmp {
    struct qmp *qmp;
    struct domain *domain; /* keeps the connection */
};

/* The connection stays valid (though it may break) until it is given back. HANDLE_INVALID if there
 * is no such domain, a system error if its process has ended. Only for driver "qemu". */
_must_check_ struct error *hv_qemu_take_qmp(struct hv *hv, const char *uuid, struct hv_qmp *ret);
void hv_qemu_give_qmp(struct hv_qmp *q);
/* The version of the program found in PATH. The caller frees. */
_must_check_ struct error *hv_qemu_version(char **ret);
