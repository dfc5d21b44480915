/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the daemon does by itself now and then, on one thread: old sessions and tasks go, the
 * figures of the host and of guests are read, storage is looked at, VMs are compared with the host,
 * also soon after a plan has failed, and the store is kept in bounds.
 */

#include "base/error.h"
#include "task/daemon.h"

struct chores;

_must_check_ struct error *chores_start(struct daemon *d, struct chores **ret);
void chores_stop(struct chores *c); /* NULL is fine */
