/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.from: everything of interest since a token, waiting until there is something. The body is
 * parked while there is nothing, and runs again when a class of interest was touched.
 */
#include "auth/sessions.h"
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
    *ret = c->memo = m;
    return NULL;
}

/* A listener that was told much lately waits a little, so that changes pile up into one batch. */
static bool must_wait(struct call *c, const struct session *session, struct error **ret)
{
    static const bool none[CLASS_MAX];
    int64_t next = session_next_batch(session);

    if (next <= mono_us())
        return false;
    *ret = call_park(c, none, next);
    return true;
}

struct error *api_event_from(struct call *c, const struct event_from_args *a)
{
    _cleanup_session_ struct session *session = sessions_find(c->daemon->sessions, c->session);
    _cleanup_(changes_fini) struct changes changes = {0};
    struct from_memo *m = c->memo;
    struct error *e = NULL;

    if (!session)
        return err_session_invalid(c->session);
    if (!m)
        TRY(memo_make(c, a, &m));
    store_changes(c->daemon->store, &m->interest, &m->since, &changes);
    if (changes.lost)
        return err_events_lost();
    int64_t now = mono_us();

    if (!changes.list.n && now < m->deadline)
        return call_park_for(c, &m->wake, m->deadline);
    if (changes.list.n && *a->token && must_wait(c, session, &e))
        return e;
    if (changes.list.n)
        session_paced(session, now);
    event_batch_encode(c->raw, c->form, &changes, &m->interest);
    return NULL;
}
