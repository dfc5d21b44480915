/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the calls on storage (SR, PBD, VDI) and by the set-up at the start. */

#include "gen/class/PBD_txn.h"
#include "gen/class/SR_txn.h"
#include "gen/class/VDI_txn.h"
#include "gen/host_proto.h"
#include "task/daemon.h"
#include "task/plan.h"

/* Orders to hostd, with passwords in place of secrets; errors name references. Block. */
_must_check_ struct error *sr_backend_create(struct daemon *d, struct arena *a, const char *uuid,
                                             const char *type,
                                             const struct map_string_string *config);
_must_check_ struct error *sr_backend_attach(struct daemon *d, struct arena *a, const char *uuid,
                                             const char *type,
                                             const struct map_string_string *config);
_must_check_ struct error *sr_backend_detach(struct daemon *d, struct arena *a, const char *uuid);
_must_check_ struct error *sr_backend_destroy(struct daemon *d, struct arena *a, const char *uuid,
                                              const char *type,
                                              const struct map_string_string *config);

_must_check_ struct error *sr_backend_probe(struct daemon *d, struct arena *a, const char *type,
                                            const struct map_string_string *config,
                                            struct host_sr_probe_result *ret);

/* The PBD of this SR on a host, NULL if there is none. */
const struct pbd_rec *sr_pbd_on(struct txn *t, const struct sr_rec *sr, const char *host);
/* SR_HAS_NO_PBDS [sr] unless it is attached on this daemon's host. */
_must_check_ struct error *sr_check_attached(struct daemon *d, struct txn *t,
                                             const struct sr_rec *sr);

/* What hostd finds on an SR, and that as rows: new, changed and vanished disks, sizes. */
struct sr_found {
    struct host_sr_scan_result scan;
    struct host_sr_stat_result stat;
};

_must_check_ struct error *sr_look(struct daemon *d, struct arena *a, const char *uuid,
                                   struct sr_found *ret);
_must_check_ struct error *sr_write_found(struct txn *t, const char *sr_ref,
                                          const struct sr_found *found);
/* One disk's facts into its row. */
void vdi_fill(struct vdi_rec *row, const struct host_vdi_rec *found);
/* Removes the row of a disk that is gone: empties the drives it lay in; VBDs of disks go too. */
_must_check_ struct error *vdi_remove_row(struct txn *t, const struct vdi_rec *vdi);
/* Removes an SR's row and all rows that hang on it. */
_must_check_ struct error *sr_remove_rows(struct txn *t, const struct sr_rec *sr);

/* Plan states of storage: names, and the steps several plans share. */
#define P_SR     "sr"      /* reference */
#define P_SRUUID "sr_uuid" /* of the SR */
#define P_TYPE   "type"
#define P_PBD    "pbd" /* reference */
#define P_CONFIG "device_config"

void plan_set_config(struct plan *p, const struct map_string_string *config);
struct map_string_string plan_config(const struct plan *p, struct arena *a);

/* P_SRUUID, P_TYPE, P_CONFIG -> attached / detached at hostd. */
struct error *step_attach(struct plan *p);
struct error *step_detach(struct plan *p);
/* P_SR, P_SRUUID -> rows of its disks. */
struct error *step_look(struct plan *p);
struct error *step_write_found(struct plan *p, struct txn *t);
