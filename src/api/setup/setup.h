/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What must be there before calls are answered. At the first start one transaction makes the rows
 * of this host: pool, host, processors, control domain, networks, storage, templates, roles. At
 * every start the facts of the host are brought up to date and storage is attached again (guests
 * are vm_reconcile's affair, api/vm/host_events.h). Doing it twice changes nothing.
 *
 * Called by one thread, before others start; asks hostd and blocks.
 */

#include "base/error.h"
#include "task/daemon.h"

/* Makes or updates the rows; sets d->host_ref, d->pool_ref and d->boot_id (kept until the program
 * ends). */
_must_check_ struct error *setup_rows(struct daemon *d);
/* Sets the two references from what a damaged store still has; writes nothing, asks nothing. */
void setup_read_only(struct daemon *d);
/* Forgets them, when no thread uses them any more. */
void setup_end(struct daemon *d);

/* After setup_rows, also after a lost connection to hostd: attaches the repositories whose PBDs are
 * plugged. What fails there is told to warn, unplugs the PBD and does not stop the rest. */
_must_check_ struct error *setup_reconcile(struct daemon *d, void (*warn)(const char *text));
