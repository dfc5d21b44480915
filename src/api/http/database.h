/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A dump in the place of the database, for handlers that have read one. */

#include "api/database/database.h"
#include "api/http/transfer.h"

/* As the request asks for: dry_run, force. What the host keeps of VMs that are gone goes too. */
_must_check_ struct error *database_apply(struct transfer *t, const struct dump *dump);
