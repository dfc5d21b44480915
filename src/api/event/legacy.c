/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The older event calls: a session registers classes, event.next waits for what changed since its
 * last answer. The same feed serves them; there is no queue that could overflow.
 */
#include "auth/sessions.h"
#include "base/world.h"
#include "event/batch.h"
#include "event/interest.h"
#include "gen/msg/event.h"
#include "rpc/call.h"

/* An answer after at most this long, even an empty one, so that dead listeners are noticed. */
#define LEGACY_WAIT_US (60 * SECOND_US)

static struct error *change_registration(struct call *c, const struct set_string *texts, bool add)
{
    _cleanup_session_ struct session *session = sessions_find(c->daemon->sessions, c->session);
    struct interest i;

    TRY(interest_parse(c->arena, texts, &i));
    if (!session)
        return err_session_invalid(c->session);
    if (i.refs.n)
        return err_event_subscription_parse_failure(texts->v[0]);
    session_register(c->daemon->sessions, session, i.class_all, add, store_now(c->daemon->store));
    return NULL;
}

struct error *api_event_register(struct call *c, const struct event_register_args *a)
{
    return change_registration(c, &a->classes, true);
}

struct error *api_event_unregister(struct call *c, const struct event_unregister_args *a)
{
    return change_registration(c, &a->classes, false);
}

struct error *api_event_next(struct call *c, const struct event_next_args *a)
{
    _cleanup_session_ struct session *session = sessions_find(c->daemon->sessions, c->session);
    _cleanup_(changes_fini) struct changes changes = {0};
    struct interest i = {0};
    bool wake[CLASS_MAX];

    if (!session)
        return err_session_invalid(c->session);
    struct registration reg = session_registration(c->daemon->sessions, session);

    if (!reg.any)
        return err_session_not_registered(c->session);
    memcpy(i.class_all, reg.classes, sizeof(i.class_all));
    memcpy(wake, reg.classes, sizeof(wake));
    wake[CLASS_SESSION] = true;
    store_changes(c->daemon->store, &i, &reg.token, &changes);
    if (changes.lost)
        return err_events_lost();
    if (!c->memo) {
        int64_t *deadline = arena_new(c->arena, int64_t);

        *deadline = c->start_us + LEGACY_WAIT_US;
        c->memo = deadline;
    }
    if (!changes.list.n && mono_us() < *(int64_t *)c->memo)
        return call_park(c, wake, *(int64_t *)c->memo);
    session_set_token(c->daemon->sessions, session, changes.now);
    struct encoded list;

    event_list_encode(c->arena, c->form, &changes, now_us(), &list);
    c->pieces = list.v;
    c->n_pieces = list.n;
    return NULL;
}
