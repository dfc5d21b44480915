/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the parts of a restore: what becomes of each row. Lives in one transaction. */

#include "api/database/database.h"
#include "base/map.h"
#include "gen/class/VM.h"

struct restored {
    const struct dump_row *row;
    const char *ref;  /* of ours, NULL = it is left out */
    void *edit;       /* the row it becomes, NULL = ours stays as it is */
    const void *ours; /* what was there, NULL = nothing */
};

struct restoring {
    struct txn *t;
    struct arena *a; /* of the transaction */
    struct daemon *daemon;
    const struct dump *dump;
    const char *master; /* reference of the host in the dump that this one takes over from */
    struct restored *rows;
    size_t n;
    struct strmap index;   /* reference in the dump -> struct restored */
    struct strmap targets; /* reference of ours -> struct restored, of those that change */
    struct strmap metrics; /* references in the dump that VMs of it name -> anything */
    struct strmap uuids;   /* "CLASS UUID" in the dump -> anything */
    const struct vm_rec *dom0;
    struct VEC(const char *) gone; /* uuids of VMs */
};

/* NULL: null, or not in the dump. */
struct restored *restore_find(const struct restoring *r, const char *ref);

/* restore_rows.c: a row of ours takes what the dump says, as far as it still holds. */
_must_check_ struct error *restore_row(struct restoring *r, struct restored *row);
