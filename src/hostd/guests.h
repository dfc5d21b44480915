/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which disks the domains of this host have open, and which run of its VM each is. Kept in
 * <state>/run/guests/<uuid>.json, written before a chain is opened, so that a restarted hostd can
 * open the chains of living domains again (storage/guest.h, adopt) and close those of dead ones.
 * The directory empties when the machine boots, as the domains do, so that nothing there need be
 * flushed.
 *
 * All functions but guests_restore and guest_run are called with the VM's turn held (machine.vms).
 */

#include "base/arena.h"
#include "base/uuid.h"
#include "hostd/machine.h"
#include "storage/guest.h"

struct guest_drive {
    int device;
    const char *sr; /* "" = empty drive */
    const char *vdi;
    bool cd;
    bool read_only;
};

_must_check_ struct error *guests_open(struct machine *m);
void guests_close(struct machine *m);
/* After domains and SRs are there: adopts or lets go of what is on record. */
void guests_restore(struct machine *m);

/* Notes the run and all drives of a domain about to start and opens their chains; ret has n
 * elements, empty for empty drives, each to be ended with guest_disk_fini. On failure nothing is
 * open. */
_must_check_ struct error *guest_begin(struct machine *m, const char *vm, const char *run,
                                       const struct guest_drive *drives, size_t n,
                                       struct guest_disk *ret);
/* The run on record, "" = none. Any thread, also without the turn. */
struct uuid_text guest_run(struct machine *m, const char *vm);
/* The domain's process runs: storage may talk to it. */
_must_check_ struct error *guest_runs(struct machine *m, const char *vm);
/* The domain is gone: closes everything, forgets it. Nothing on record is success. */
void guest_end(struct machine *m, const char *vm);

/* One more drive; one there already under that number with the same VDI is opened again. */
_must_check_ struct error *guest_add(struct machine *m, const char *vm,
                                     const struct guest_drive *drive, struct guest_disk *ret);
/* What is in drive `device`; false = nothing is on record. Strings in the arena. */
bool guest_find_drive(struct machine *m, const char *vm, int device, struct arena *a,
                      struct guest_drive *ret);
/* Closes what the drive held. An optical drive stays, empty, if keep_drive. */
_must_check_ struct error *guest_remove(struct machine *m, const char *vm, int device,
                                        bool keep_drive);
/* Closes the chain `sr`/`vdi` that is in no drive any more (a medium that was replaced), and notes
 * `now` for its drive. */
_must_check_ struct error *guest_replace(struct machine *m, const char *vm,
                                         const struct guest_drive *old,
                                         const struct guest_drive *now);
