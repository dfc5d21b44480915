/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"
#include "gen/msg/event.h"
#include "model/store.h"
#include "rpc/call.h"

struct error *api_event_get_current_id(struct call *c, const struct event_get_current_id_args *a,
                                       int64_t *ret)
{
    *ret = (int64_t)store_now(c->daemon->store).stamp;
    return NULL;
}

/* Makes an event for an object that did not change; clients use the token as a place to begin. */
struct error *api_event_inject(struct call *c, const struct event_inject_args *a, const char **ret)
{
    char text[TOKEN_TEXT_MAX];
    struct token before = store_now(c->daemon->store);

    enum class_id class_id = class_find_lower(a->class);

    if (class_id == CLASS_NONE || !classes[class_id].emits_events)
        return err_event_subscription_parse_failure(a->class);
    TRY(txn_touch(c->txn, class_id, a->ref));
    token_print(&before, text);
    *ret = arena_strdup(c->arena, text);
    return NULL;
}
