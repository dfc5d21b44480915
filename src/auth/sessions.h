/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who is logged in. The rows of class session are what clients see; this table is what every call
 * is checked against, and it holds what rows do not: the roles, the time of last use, what the
 * legacy event calls have registered. It is kept in memory only, like the rows.
 *
 * A login enters the table before its row is committed; an entry whose row never came is harmless,
 * nobody was told its reference.
 *
 * Any thread; one lock, held for a look-up. A counted session stays readable after its logout.
 */

#include "base/arena.h"
#include "gen/classes.h"
#include "model/store.h"

#include <jansson.h>
#include <stdatomic.h>

/* Sources: XenAPI servers keep 500 sessions per originator and drop those unused for a day. */
#define SESSIONS_PER_ORIGINATOR 500
/* Clients choose what they are called: a user has as many whatever originators it names. */
#define SESSIONS_PER_USER 2000
#define SESSIONS_MAX      10000
#define SESSION_CALLS_MAX 500 /* under way at the same time */
#define SESSION_IDLE_S    86400
#define SESSION_TEXT_MAX  256 /* longest user name or originator kept */

struct sessions;

struct session {
    const char *ref;
    const char *user; /* name for audit and tasks, "" if unknown */
    const char *originator;
    uint32_t roles; /* ROLE_BIT() mask */
    bool superuser; /* local root: no role is needed */
    bool local;     /* of slave_local_login*: has no row */
    bool internal;  /* of root on the host itself: may call what hosts ask of each other */
};

/* login_delay_us: how long a refused login waits for its answer. */
struct sessions *sessions_new(int64_t login_delay_us);
void sessions_free(struct sessions *s);
int64_t sessions_login_delay(const struct sessions *s);

/* Counted, or NULL. Marks the session as used. */
struct session *sessions_find(struct sessions *s, const char *ref);
void session_unref(struct session *session);

/* A call of the session begins, and ends. False: it has SESSION_CALLS_MAX under way. */
bool session_enter(struct session *session);
void session_leave(struct session *session);

/* Enters a copy of seed. *ret_evicted: the session that must go because its originator, its user or
 * all have too many: the one of them unused for longest (already out of the table, its row is the
 * caller's), NULL = none; from a. */
void sessions_add(struct sessions *s, const struct session *seed, struct arena *a,
                  const char **ret_evicted);
/* Roles of a session, 0 = there is none; it does not count as used. */
uint32_t sessions_roles(struct sessions *s, const char *ref);
/* False if there was none. */
bool sessions_remove(struct sessions *s, const char *ref);

/* The table as a JSON array, for the program that takes over, and back. Never to a disk: whoever
 * holds a reference is logged in. Entries that are none are left out. */
json_t *sessions_write(struct sessions *s);
void sessions_read(struct sessions *s, const json_t *list);

struct session_use {
    const char *ref;
    int64_t last_active; /* seconds since 1970 */
    bool expired;        /* unused for SESSION_IDLE_S: out of the table now */
};

/* For the chores: sessions used since the last time this was asked, and those expired. */
size_t sessions_review(struct sessions *s, struct arena *a, struct session_use **ret);
size_t sessions_count(struct sessions *s);

/*
 * Pace of a listener: the first few events go out at once, a flood at most once in 50 ms. Returns
 * the time (mono_us) from which the next batch may be sent; `now` or earlier = at once.
 * session_paced tells that one was sent. key: any number that says what it listens to, since many
 * listeners may share a session, each to a task of its own.
 */
int64_t session_next_batch(const struct session *session, uint64_t key);
void session_paced(struct session *session, uint64_t key, int64_t now);

/* Legacy events (event.register, next): the registered classes and the place reached. */
struct registration {
    bool any;
    bool classes[CLASS_MAX];
    struct token token;
};

struct registration session_registration(struct sessions *s, const struct session *session);
/* add or remove the classes; the first registration begins at `now`. */
void session_register(struct sessions *s, struct session *session, const bool of[CLASS_MAX],
                      bool add, struct token now);
void session_set_token(struct sessions *s, struct session *session, struct token reached);

static inline void cleanup_session(struct session **session)
{
    if (*session)
        session_unref(*session);
}
#define _cleanup_session_ _cleanup_(cleanup_session)
