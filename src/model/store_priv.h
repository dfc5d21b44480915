/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the store, shared by its files only:
 *   store.c     look-ups, counters, close
 *   load.c      open: rows of the database to objects
 *   damage.c    a damaged database: what is read of it, and that nothing is written
 *   txn.c       what bodies do before they commit
 *   attempt.c   a body run until it is committed; turns, so that conflicts have an end
 *   commit.c    checks and stages a transaction on top of the pending state
 *   relation.c  edges (who refers to whom), inverse sets, consequences of deletion
 *   derive.c    which derived fields a commit touches, and their values
 *   limits.c    how much clients may keep
 *   publish.c   shared flush, publication in order, undo when the disk refuses
 *   later.c     commits that no thread waits for, and the thread that flushes then
 *   feed.c      lists of changes, tombstones, watches
 *   soft.c      what lives in memory only, for the program that takes over
 *   soft_rows.c which rows lived in memory only, for the run after a death
 *
 * One lock, store->lock, guards all of it. Objects have two ends: `head`, the published version
 * readers see, and `tail`, the newest one, perhaps still on its way to the disk. Commits are
 * checked against tails, so a commit behind an unflushed one sees it.
 */

#include "base/list.h"
#include "base/map.h"
#include "model/class.h"
#include "model/store.h"
#include "model/txn.h"

#include <assert.h>
#include <pthread.h>

/* src's reference field holds dst. Lives in src->out, linked into dst->in. */
struct edge {
    struct object *src;
    struct object *dst;
    int field;
    struct list in_link;
};

struct object {
    atomic_uint refs; /* maps, versions, transactions */
    uint16_t class_id;
    bool soft;            /* never written to disk */
    bool in_use;          /* linked in the maps */
    struct version *head; /* NULL before the first publication and after deletion */
    struct version *tail; /* NULL: deletion is pending or done */
    struct list change;   /* class_state.changed, by head->stamp */
    struct list all;      /* class_state.all, by creation */
    struct list in;       /* edges that end here */
    struct edge *out;
    size_t n_out;
    uint64_t created_stamp;
    uint32_t soft_slot; /* of soft_rows.c, 0 = none */
    char *uuid_key;     /* "class/uuid" in the uuid map, NULL = none */
    char ref[];
};

struct tombstone {
    uint64_t stamp;
    uint64_t created_stamp;
    uint64_t generation; /* 0: the row was soft */
    uint64_t created_gen;
    uint16_t class_id;
    char ref[64];
};

struct class_state {
    struct list changed;                /* objects by stamp, oldest first */
    struct list all;                    /* published objects by creation */
    size_t n;                           /* published objects */
    uint64_t member_seq;                /* moves when a commit adds or removes members */
    uint64_t member_seq_pub;            /* the same, of what is published */
    struct VEC(struct tombstone) tombs; /* ring once full */
    size_t tomb_start;
    struct token tombs_lost; /* deletions up to here are forgotten */
};

/* A dependency seen from the changed field. */
struct dependent {
    uint16_t owner_class;
    int16_t derived; /* index in owner's class_info.derived */
    int n_hops;
    const struct dep_step *hops;
    const char *key; /* only this key of the changed map matters; NULL = any change */
    bool global;     /* concerns every object of owner_class */
};

struct dependents VEC(struct dependent);

/* The new state of one object inside a commit that is being staged. */
struct work {
    struct object *obj;
    struct version *old; /* tail before, NULL = insert; alive while the lock is held */
    void *rec;           /* arena copy, writable; NULL = deleted */
    bool inserted;
    bool harden;
    bool touch;
    bool rel_changed;
    uint64_t derive_mask; /* derived fields to compute, by index */
    struct field_mask own_changed;
    bool own_any;
    bool hard_any;
    struct work *next;
};

struct pending {
    struct list link;
    struct work_done {
        struct object *obj;
        struct version *old;  /* the tail before, NULL = insert; counted by whoever made it */
        struct version *made; /* counted, NULL = delete */
        bool was_soft;
        uint64_t member_seq; /* of the class, if this adds or removes a member */
    } * done;
    size_t n_done;
    struct arena arena; /* rows' text and commit info */
    struct db_commit commit;
    bool has_rows;
    struct commit_later *later; /* is told the end; NULL = a thread waits for it */
    bool leads;                 /* it is to flush next */
    bool tried;                 /* it is or was in a batch */
    bool finished;              /* error says how; the thread that waits may not know yet */
    struct error *error;
    pthread_mutex_t told_lock; /* rank: leaf */
    pthread_cond_t wake;
    bool told; /* it leads or is finished */
    uint64_t prev_generation;
};

/* The thread that flushes when none waits for its own commit. */
struct committer {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* rank: leaf */
    pthread_cond_t wake;
    bool leads; /* it is to flush */
    bool ending;
};

struct store {
    pthread_mutex_t lock;
    pthread_cond_t flushed;
    pthread_cond_t turn_given; /* whose_turn became free */
    unsigned turn_depth;       /* 0 = nobody's */
    pthread_t whose_turn;
    struct db *db;
    struct strmap by_ref;
    struct strmap by_uuid;
    struct class_state classes[CLASS_MAX];
    struct dependents *dependents[CLASS_MAX]; /* per field of the class */
    struct list queue;                        /* pending commits, oldest first */
    bool flushing;                            /* the database is in use */
    unsigned database_wanted;                 /* by how many that have no commit in the queue */
    unsigned n_later;                         /* commits whose `later` was not told yet */
    struct committer committer;
    uint64_t generation; /* of the newest staged commit */
    uint64_t published_generation;
    uint64_t epoch;
    uint64_t stamp;
    uint64_t seq;
    struct watch *watches;
    struct soft_rows *soft_rows; /* NULL = not noted */
    struct store_limits limits;
    uint64_t bytes; /* of all tails */
    struct store_stats stats;
    char *read_only; /* set once, from NULL; see store_read_only */
};

struct view {
    struct store *store;
    struct commit_stage *stage; /* a commit being staged, or */
    struct txn *txn;            /* what a body sees */
};

struct commit_stage {
    struct store *store;
    struct arena *arena;
    struct work *works; /* in order of appearance */
    struct work **last;
    struct strmap by_ref;
};

/* store.c */
struct object *object_new(struct store *s, uint16_t class_id, const char *ref);
void object_unref(struct object *o);
struct object *object_find(struct store *s, enum class_id class_id,
                           const char *ref); /* lock held */
bool ref_is_null(const char *ref);
void store_map_add(struct store *s, struct object *o);
void store_map_remove(struct store *s, struct object *o);
/* Gives or takes the uuid of rec (NULL = none) in the uuid map; false if another object has it. */
bool store_map_uuid(struct store *s, struct object *o, const void *rec);
const char *record_uuid(enum class_id class_id, const void *rec); /* "" if it has none */

/* relation.c */
/* Index of rec's references, replacing what o had. rec NULL = none. */
void edges_set(struct store *s, struct object *o, const void *rec);
_must_check_ struct error *stage_deletions(struct commit_stage *st);
_must_check_ struct error *stage_check_refs(struct commit_stage *st);
void stage_inverse(struct commit_stage *st);
/* Calls fn for every reference in a record. */
void record_each_ref(const struct struct_info *si, const void *rec, void *ctx,
                     void (*fn)(void *ctx, int field, const char *ref));

/* derive.c */
void dependents_build(struct store *s);
void dependents_free(struct store *s);
void stage_derive(struct commit_stage *st);
void derive_all(const struct view *v, struct arena *a, const struct class_info *ci, void *rec);

/* damage.c */
/* Lock held: from now on durable commits are refused. */
void store_set_read_only(struct store *s, const char *why);
/* Lock held: what such a commit is answered, NULL if the store takes commits. */
struct error *store_refusal(const struct store *s);

/* txn.c */
const void *txn_view_find(struct txn *t, enum class_id class_id, const char *ref);
const void *txn_view_search(struct txn *t, enum class_id class_id,
                            bool (*match)(const void *rec, const void *key), const void *key);

/* commit.c */
struct work *stage_add(struct commit_stage *st, struct object *o);  /* an empty one at the end */
struct work *stage_work(struct commit_stage *st, struct object *o); /* finds or makes an edit */
struct work *stage_find(struct commit_stage *st, const char *ref);

/* attempt.c */
/* Lock held: has another thread the turn? The other one waits while it has. */
bool turn_is_taken(const struct store *s);
void turn_await(struct store *s);

/* limits.c */
void limits_init(struct store *s);
_must_check_ struct error *stage_check_limits(const struct commit_stage *st);

/* publish.c */
void pending_free(struct pending *p);
/* Lock held on entry, not on return. Queues p and waits until it is published or failed. */
struct error *publish_pending(struct store *s, struct pending *p);
/* Lock held on entry, not on return. Queues p, which has a `later`. False: it is over already, and
 * nobody is told. */
_must_check_ bool publish_later(struct store *s, struct pending *p);
/* Flushes for others, until one of them can or nothing waits. */
void publish_lead(struct store *s);
/* Lock held: whoever used the database gives it on. The oldest waiting commit flushes next: it is
 * to be told without the lock; NULL = none waits. */
struct pending *publish_hand_over(struct store *s);
/* NULL is fine. */
void publish_tell_leader(struct store *s, struct pending *p);

/* later.c */
void committer_init(struct committer *c);
void committer_fini(struct committer *c);
void committer_lead(struct committer *c);
/* No lock held: tells the end of p, which is gone then. */
void later_end(struct store *s, struct pending *p);

/* feed.c */
void feed_init(struct class_state *c);
void feed_fini(struct class_state *c);
void feed_published(struct store *s, struct object *o, struct version *old);
void feed_tombstone(struct store *s, const struct tombstone *t);
void feed_notify(struct store *s, const struct publication *p);
