/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which host of the pool serves a request that needs what not every host has: the disks of a
 * repository, of a VM, or the files that only the master keeps. The answer is a reference, or ""
 * for this one: because it can, or because no other that is alive could either, and this one says
 * why.
 *
 * Source: XenAPI handlers, which answer 302 with the address of such a host.
 */

#include "model/txn.h"

/* One that has the repository attached. An unknown one is this host's to refuse; so below. */
const char *host_seeing_sr(struct txn *x, const char *here, const char *sr);
/* One that has all repositories of the VM's disks attached. */
const char *host_seeing_vm(struct txn *x, const char *here, const char *vm);
/* The one that the VM is on, which has its figures; of one that is off the master keeps them. */
const char *host_running_vm(struct txn *x, const char *here, const char *vm);
const char *host_being_master(struct txn *x, const char *here);

/* Where the host answers the same request, "https://ADDRESS/PATH?QUERY": target is path and query
 * as they were sent. NULL: nobody knows the host's address. */
const char *host_location(struct txn *x, const char *host, const char *target);
