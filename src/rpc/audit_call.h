/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls in the audit log (task/audit.h). */

#include "rpc/job.h"

/* Once the arguments are there and before anything is done to what they name: names stay known. */
void audit_call_note(struct job *j);
/* At the end; e as it is answered. */
void audit_call_end(const struct job *j, const struct error *e);
