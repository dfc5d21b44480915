/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the bodies of domain calls share. */

#include "gen/host_proto.h"
#include "hostd/guests.h"
#include "hv/hv.h"
#include "net/net.h"

/* INVALID_VALUE [what, uuid] unless it is a UUID in lower case. */
_must_check_ struct error *check_uuid(const char *what, const char *uuid);
/* The same of both; a run may be "". */
_must_check_ struct error *check_vm_and_run(const char *vm, const char *run);
/* A count for the checks of hv.h; -1, which they refuse, for what is out of all reason. */
int small_number(int64_t n);
/* -1 = none of them */
int name_index(const char *const *names, int n, const char *name);
/* A drive as the record keeps it, checked. Strings are d's. */
_must_check_ struct error *drive_of(const struct host_disk_rec *d, struct guest_drive *ret);
/* Strings are those of d and of the opened chain. */
struct hv_disk hv_disk_of(const struct host_disk_rec *d, const struct guest_disk *opened);
/* Asks the network for a port; a tap in *ret is the caller's to close. */
_must_check_ struct error *hv_nic_of(struct machine *m, const char *vm,
                                     const struct host_nic_rec *n, struct hv_nic *ret);
