/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A transaction reads versions, builds new ones and commits: all or nothing, refused with
 * DB_CONFLICT if something it read has changed meanwhile. There is no other way to write.
 *
 * Reads see the last published state plus this transaction's own edits (but inverse and derived
 * fields as they were before them). What is read is pinned until txn_fini; memory comes from the
 * caller's arena. Reading a record watches its own fields; txn_inverse also watches its inverse
 * and derived fields; txn_all watches which objects of the class exist. So two transactions whose
 * decisions exclude each other cannot both commit.
 *
 * The generated wrappers (gen/class/X.h: txn_vm, txn_edit_vm, txn_new_vm, ...) are what bodies
 * use; these are the untyped calls beneath them. One thread at a time.
 */

#include "base/error.h"
#include "gen/classes.h"
#include "model/store.h"

struct txn;
struct view;

/* Ended with txn_free, committed or not. */
struct txn *txn_new(struct store *store, struct arena *arena);
void txn_free(struct txn *t);

/* HANDLE_INVALID [class, ref] if there is no such object. */
_must_check_ struct error *txn_read(struct txn *t, enum class_id class_id, const char *ref,
                                    const void **ret);
/* The same, NULL where there is none (null references included). The absence is watched. */
const void *txn_find(struct txn *t, enum class_id class_id, const char *ref);
/* By uuid: UUID_INVALID [class, uuid] / NULL. */
_must_check_ struct error *txn_read_uuid(struct txn *t, enum class_id class_id, const char *uuid,
                                         const void **ret);
const void *txn_find_uuid(struct txn *t, enum class_id class_id, const char *uuid);
/* A copy to change; asking again returns the same copy. Only own fields may be written. */
_must_check_ struct error *txn_edit(struct txn *t, enum class_id class_id, const char *ref,
                                    void **ret);
/* Tells listeners that the object changed although no field does (event.inject, heart beats). */
_must_check_ struct error *txn_touch(struct txn *t, enum class_id class_id, const char *ref);
/* A new row with defaults, fresh reference and uuid. */
void *txn_insert(struct txn *t, enum class_id class_id);
/* A row that is never written to disk (tasks without a plan). */
void *txn_insert_soft(struct txn *t, enum class_id class_id);
/* With a chosen reference: objects whose reference is fixed (roles), imports, tests. */
void *txn_insert_ref(struct txn *t, enum class_id class_id, const char *ref);
_must_check_ struct error *txn_delete(struct txn *t, enum class_id class_id, const char *ref);
/* The inverse and derived fields (struct <class>_inv) of a record this transaction read or edits. A
 * row inserted here has none yet: the empty ones. */
const void *txn_inverse(struct txn *t, enum class_id class_id, const void *rec);
/* All objects of a class, in order of creation. */
size_t txn_all(struct txn *t, enum class_id class_id, const void *const **ret);

/* The transaction's reads as a view, for the rules that derive functions and bodies share. What a
 * rule looks at is watched, inverse and derived fields included. */
const struct view *txn_view(struct txn *t);

struct arena *txn_arena(struct txn *t);
struct store *txn_store(struct txn *t);
bool txn_has_writes(const struct txn *t);
/* A task row that was soft so far will be written from this commit on. */
void txn_harden(struct txn *t, enum class_id class_id, const char *ref);

struct commit_info {
    const char *who;  /* user name, "" = the daemon */
    const char *task; /* reference or "" */
    const char *call; /* "VM.start" */
    bool bounded;     /* a client's: refused if it goes over the limits of the store */
};

/*
 * Blocks until the commit is durable (not at all when only soft fields changed). Afterwards the
 * transaction is spent. Errors: DB_CONFLICT (run the body again), HANDLE_INVALID for a reference
 * to nothing, the code of a refused deletion, system errors of the database.
 */
_must_check_ struct error *txn_commit(struct txn *t, const struct commit_info *info);

/*
 * A commit that nobody waits for: what goes on when it is durable, or has failed. Embedded in what
 * that needs, which lives until `done` was called. `done` is called once, without locks held, on
 * the thread that flushed (perhaps before txn_commit_later has returned), so it must be quick and
 * hand over; it owns e. Errors: as of txn_commit.
 */
struct commit_later {
    void (*done)(struct commit_later *l, struct error *e);
};

/*
 * The same as txn_commit, but never waits for the disk or for others: for threads that may not
 * block. *ret_later: l->done tells the end; else this was all, as when only soft fields changed and
 * nothing is on its way to the disk. What it returns is always final (and *ret_later false);
 * DB_CONFLICT also if another thread has the turn. Needs store_start.
 */
_must_check_ struct error *txn_commit_later(struct txn *t, const struct commit_info *info,
                                            struct commit_later *l, bool *ret_later);

/*
 * fill and commit in a fresh transaction, again after each conflict until it succeeds or fails for
 * another reason. fill may run many times and has no effect but on t. Nothing written: no commit.
 */
_must_check_ struct error *txn_run(struct store *s, const struct commit_info *info,
                                   struct error *(*fill)(void *ctx, struct txn *t), void *ctx);

/*
 * Conflicts have an end: a thread that met this many takes the turn, and until it gives it back
 * commits of other threads wait. What is on its way to the disk at that time may cause one more
 * conflict. Not for code that waits for anything but the store. txn_run does this by itself. Taking
 * nests.
 */
#define CONFLICTS_BEFORE_TURN 16
void store_take_turn(struct store *s);
void store_give_turn(struct store *s);

static inline void cleanup_txn(struct txn **t)
{
    if (*t)
        txn_free(*t);
}

#define _cleanup_txn_ _cleanup_(cleanup_txn)
