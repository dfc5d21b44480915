/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Upkeep of rows that the daemon does by itself, called by one thread now and then. */

#include "base/error.h"
#include "base/ticker.h"
#include "task/daemon.h"

/* Sessions unused for too long go; last_active of the others is brought up to date. */
_must_check_ struct error *api_review_sessions(struct daemon *d);
/* last_access of callers that called. */
_must_check_ struct error *api_note_callers(struct daemon *d);
/* Free memory, last_updated and live of this host. */
_must_check_ struct error *api_host_figures(struct daemon *d);
/* Messages about certificates that end soon, or have ended. */
_must_check_ struct error *api_certificates_expire(struct daemon *d);
/* SSH that was turned on for a while goes off when the time is up. */
_must_check_ struct error *api_ssh_expires(struct daemon *d);
/* Begins the plans of snapshot schedules whose time has come. */
_must_check_ struct error *api_run_schedules(struct daemon *d);
/* A message about passwords that were refused since the last one. */
_must_check_ struct error *api_tell_refusals(struct daemon *d);
/* An event for the pool, though it did not change: clients that hear nothing else know that they
 * are still heard. */
_must_check_ struct error *api_beat(struct daemon *d);
/* People of the directory with a session are looked up again: sessions of who is gone, or may do
 * other things now, end. Asks hostd for each, up to the first that cannot be asked for; a ticker of
 * its own, since a directory may take long. */
_must_check_ struct error *api_review_people(struct daemon *d, struct ticker *ticker);
