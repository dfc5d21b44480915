/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What must be true when nobody asks for anything any more. */

/* Waits until no plan and no task is under way, and the daemon has compared itself with the host.
 */
void rest_await(void);
/* Nothing is left half done, and hostd has just what the rows say. */
void rest_check(const char *sr_ref);
/* All rows that are kept on disk, with what is computed from them, are after a restart what they
 * were before. */
void rest_remember(void);
void rest_compare(void);
