/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The inside of a transaction, for txn.c and commit.c. */

#include "model/store_priv.h"

struct txn_entry {
    struct txn_entry *next; /* in order of first use */
    enum class_id class_id;
    const char *ref;
    struct object *obj;   /* counted; NULL = there was none */
    struct version *base; /* counted; NULL = there was none */
    void *edit;           /* private copy, NULL = only read */
    bool inserted;
    bool deleted;
    bool soft;
    bool harden;
    bool touch;    /* to be published even if nothing differs */
    bool rel_read; /* inverse or derived fields were looked at */
};

struct txn {
    struct store *store;
    struct arena *arena;
    struct txn_entry *entries;
    struct txn_entry **last;
    struct strmap by_ref;
    bool has_writes;
    bool scanned[CLASS_MAX];
    uint64_t scan_seq[CLASS_MAX];
    struct view view;
};
