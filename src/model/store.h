/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The store: every object of the data model in memory, kept equal to the database by
 * transactions (model/txn.h). This header is for readers: look-ups, lists, the feed of changes.
 *
 * A commit is durable before anyone sees it. Published changes are numbered by `stamp` (this run
 * of the daemon) and, if durable, by the database's generation. Objects of a class are linked in
 * the order of their last change, so "what changed since" costs what changed.
 *
 * Any thread. Look-ups take one short lock; nothing here waits for the disk except open.
 */

#include "base/str.h"
#include "base/vec.h"
#include "db/db.h"
#include "model/version.h"

#include <jansson.h>

struct store;

/* What is told while a store is opened, and before. Strings live during the call; each may be NULL.
 */
struct store_notes {
    void *ctx;
    /* For people: references that led nowhere, objects that cannot be read. */
    void (*warn)(void *ctx, const char *text);
    /* An object of a read-only database that cannot be read. class_name may be "". */
    void (*damaged)(void *ctx, const char *class_name, const char *ref, const char *why);
    /* A reference that leads to no living object and counts as null. */
    void (*dangling)(void *ctx, enum class_id class_id, const char *ref, const char *field,
                     const char *target);
    /* A row of a class this program does not know; it stays in the database. */
    void (*unknown)(void *ctx, const char *class_name, const char *ref);
    /* What the program before this one told (store_write_soft): listeners go on as if nothing had
     * happened. NULL = a new run, as after a crash. */
    const json_t *soft;
    /* And every object counts as changed once: another version of the program may tell its objects
     * in other words. */
    bool retell;
    /* A file that says after the death of this program which rows lived in memory only, so that
     * listeners of this run hear that they are gone. NULL = none: they begin anew. */
    const char *soft_rows;
};

/*
 * Takes over db (closed by store_close). Rows of unknown classes stay in the database untouched;
 * references that lead nowhere count as null. An unreadable row is DB_DAMAGED; of a read-only
 * database it is left out and told.
 */
_must_check_ struct error *store_open(struct db *db, const struct store_notes *notes,
                                      struct store **ret);
/*
 * The store in a file. If the file is damaged it is left as it is, a copy is kept beside it, and
 * what can be read becomes a read-only store: everything but durable commits works. An error means
 * that nothing can be read, or that the file is not damaged but newer, in use, or not there.
 */
_must_check_ struct error *store_open_file(const char *path, const struct store_notes *notes,
                                           struct store **ret);
/* Why durable commits are refused, with OPERATION_NOT_ALLOWED [this]; NULL = they are not. A store
 * becomes so when it is opened damaged, or when a commit meets damage. Lives as long as the store.
 */
const char *store_read_only(struct store *s);
/* Before the first commit: what happens when it is unknown whether the disk has a commit. Whatever
 * would be answered then could turn out to be wrong, so a daemon ends itself there. */
void store_on_lost_commit(struct store *s, void (*lost)(const struct error *why));
/* Starts the thread that makes commits of txn_commit_later durable; before the first of them. */
_must_check_ struct error *store_start(struct store *s);
/* Waits until each txn_commit_later of before has been told its end. */
void store_settle(struct store *s);
/* After the last commit. */
void store_close(struct store *s);

/*
 * What a restart loses: soft rows and fields, the stamps, the deletions of this run. Written as
 * JSON by a store that changes no more, for store_notes.soft of another program.
 */
void store_write_soft(struct store *s, struct str *out);

/* Counted version or NULL. */
struct version *store_find(struct store *s, enum class_id class_id, const char *ref);
struct version *store_find_uuid(struct store *s, enum class_id class_id, const char *uuid);
/* A consistent list of counted versions in order of creation; release with version_list_fini. */
struct version_list VEC(struct version *);
void store_all(struct store *s, enum class_id class_id, struct version_list *ret);
void version_list_fini(struct version_list *l);
size_t store_count(struct store *s, enum class_id class_id);

/* The place a listener has reached. Text form: "%020lu,%016lx%016lx" (generation, epoch, stamp). */
struct token {
    uint64_t generation;
    uint64_t epoch; /* which run of the daemon the stamp belongs to */
    uint64_t stamp;
};

#define TOKEN_TEXT_MAX 64
void token_print(const struct token *t, char text[TOKEN_TEXT_MAX]);
bool token_parse(const char *text, struct token *ret); /* "" = from the beginning (all zero) */

/* A listener's interest: whole classes and single objects. */
struct interest {
    bool class_all[CLASS_MAX];
    bool class_some[CLASS_MAX];    /* class has entries in refs */
    struct VEC(const char *) refs; /* sorted */
};

void interest_sort(struct interest *i);
bool interest_wants(const struct interest *i, enum class_id class_id, const char *ref);

enum change_op { CHANGE_ADD, CHANGE_MOD, CHANGE_DEL };

struct change {
    enum change_op op;
    enum class_id class_id;
    uint64_t stamp;
    struct version *version; /* counted; NULL for DEL */
    char ref[64];
};

struct changes {
    struct VEC(struct change) list; /* in order of stamp */
    struct token now;
    size_t counts[CLASS_MAX]; /* rows that exist, of the classes of interest */
    bool lost;                /* deletions older than the kept tombstones may have been missed */
};

/* Everything of interest that changed after `since`; add/mod/del as the listener must see them. */
void store_changes(struct store *s, const struct interest *interest, const struct token *since,
                   struct changes *ret);
void changes_fini(struct changes *c);
struct token store_now(struct store *s);

/* What a publication touched. Strings and arrays live during the callback. */
struct publication {
    bool classes[CLASS_MAX];
    struct touched {
        enum class_id class_id;
        const char *ref;
    } objects[64];
    size_t n_objects;
    bool complete; /* all touched objects are listed; false = too many */
};

/*
 * Publication watch: fn runs on the committing thread right after a publication that touched a
 * class of the mask, without locks held except the store's publication lock, so it must be quick
 * and must not call the store (hand the work over). Removal waits for a running fn.
 */
struct watch {
    bool classes[CLASS_MAX];
    void (*fn)(struct watch *w, const struct publication *p);
    struct watch *next;
};

void store_watch(struct store *s, struct watch *w);
void store_unwatch(struct store *s, struct watch *w);

/* How much calls of clients may bring into the store (commit_info.bounded). */
struct store_limits {
    size_t class_rows;   /* of any other class; 200,000 */
    size_t task_rows;    /* TOO_MANY_PENDING_TASKS; 10,000 */
    size_t secret_rows;  /* 10,000 */
    size_t object_bytes; /* texts and lists of one object's own fields; 1 MiB */
    uint64_t bytes;      /* all versions in memory; OUT_OF_SPACE; 2 GiB */
};

/* Others than these, for tests. */
void store_set_limits(struct store *s, const struct store_limits *limits);

/* Counters for `make bench` and the control socket. */
struct store_stats {
    uint64_t commits, conflicts, flushes, row_bytes, publications;
    uint64_t derivations; /* derived fields computed by commits */
    size_t objects;
};

void store_stats(struct store *s, struct store_stats *ret);
/* Upkeep of the database (checkpoints, pruned history), between two commits. Blocks; called now and
 * then by one thread. */
_must_check_ struct error *store_maintain(struct store *s);
/* Passes through to the backend; see db.h. */
struct error *store_history(struct store *s, const char *ref, size_t max, void *ctx,
                            struct error *(*entry)(void *ctx, const struct db_history_entry *e));
