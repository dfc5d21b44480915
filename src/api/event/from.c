/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.from: everything of interest since a token, waiting until there is something. The body is
 * parked while there is nothing, and runs again when a class of interest was touched.
 */
#include "auth/sessions.h"
#include "base/map.h"
#include "base/world.h"
#include "event/batch.h"
#include "event/interest.h"
#include "gen/msg/event.h"
#include "rpc/call.h"

#define LONGEST_WAIT_S 86400

struct from_memo {
    struct interest interest;
    struct token since;
    int64_t deadline;
    struct interest wake; /* what the parked call wakes up for */
    uint64_t key;         /* of its pace */
};

/* The same, and the caller's own session, which may end. */
static void memo_wake(struct call *c, struct from_memo *m)
{
    size_t n = m->interest.refs.n;
    const char **refs = arena_array(c->arena, const char *, n + 1);

    m->wake = m->interest;
    m->wake.class_some[CLASS_SESSION] = true;
    for (size_t i = 0; i < n; i++)
        refs[i] = m->interest.refs.v[i];
    refs[n] = c->session;
    m->wake.refs.v = refs;
    m->wake.refs.n = n + 1;
    interest_sort(&m->wake);
}

static uint64_t key_of(const struct interest *i)
{
    uint64_t key = hash_mem(i->class_all, sizeof(i->class_all));

    for (size_t k = 0; k < i->refs.n; k++)
        key ^= hash_mem(i->refs.v[k], strlen(i->refs.v[k]));
    return key;
}

static struct error *memo_make(struct call *c, const struct event_from_args *a,
                               struct from_memo **ret)
{
    struct from_memo *m = arena_new(c->arena, struct from_memo);
    bool sane = a->timeout >= 0 && a->timeout <= LONGEST_WAIT_S;

    TRY(interest_parse(c->arena, &a->classes, &m->interest));
    if (!token_parse(a->token, &m->since))
        return err_event_from_token_parse_failure(a->token);
    m->deadline = c->start_us + (int64_t)((sane ? a->timeout : LONGEST_WAIT_S) * SECOND_US);
    memo_wake(c, m);
    m->key = key_of(&m->interest);
    *ret = c->memo = m;
    return NULL;
}

/* A listener that was told much lately waits a little, so that changes pile up into one batch; what
 * there is meanwhile is not looked at. Nor does it wake for it. */
static struct error *wait_for_more(struct call *c, int64_t until)
{
    static const bool none[CLASS_MAX];

    return call_park(c, none, until);
}

/* Until when, if it is to wait. One that does not want to wait at all is told what there is. */
static bool must_wait(const struct call *c, const struct session *session, int64_t *ret_until)
{
    const struct from_memo *m = c->memo;
    const int64_t now = mono_us(), next = session_next_batch(session, m->key);

    *ret_until = MIN(next, m->deadline);
    return next > now && m->deadline > now && (m->since.epoch || m->since.stamp);
}

#define MANY 256

/* Everything there is, to begin with: not on a thread that others wait for. */
static bool is_big(struct call *c, const struct from_memo *m)
{
    size_t n = 0;

    if (m->since.epoch || m->since.generation || m->since.stamp)
        return false;
    for (int i = 1; i < CLASS_MAX && n <= MANY; i++)
        n += m->interest.class_all[i] ? store_count(c->daemon->store, i) : 0;
    return n > MANY;
}

struct error *api_event_from(struct call *c, const struct event_from_args *a)
{
    _cleanup_session_ struct session *session = sessions_find(c->daemon->sessions, c->session);
    _cleanup_(changes_fini) struct changes changes = {0};
    struct from_memo *m = c->memo;
    struct encoded batch;
    int64_t until;

    if (!session)
        return err_session_invalid(c->session);
    if (!m) {
        TRY(memo_make(c, a, &m));
        c->much = is_big(c, m);
        if (c->much)
            return wait_for_more(c, 0);
    }
    if (must_wait(c, session, &until))
        return wait_for_more(c, until);
    store_changes(c->daemon->store, &m->interest, &m->since, &changes);
    if (changes.lost)
        return err_events_lost();
    int64_t now = mono_us();

    if (!changes.list.n && now < m->deadline)
        return call_park_for(c, &m->wake, m->deadline);
    if (changes.list.n)
        session_paced(session, m->key, now);
    event_batch_encode(c->arena, c->form, &changes, &m->interest, &batch);
    c->pieces = batch.v;
    c->n_pieces = batch.n;
    return NULL;
}
