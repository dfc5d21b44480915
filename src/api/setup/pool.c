/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool of one that every host begins as, and the built-in roles. */
#include "api/common/lists.h"
#include "api/setup/rows.h"
#include "base/uuid.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/class/role_txn.h"
#include "gen/roles.h"

struct error *setup_pool(struct setup *s)
{
    const struct host_rec *host;
    struct pool_rec *p;

    TRY(txn_host(s->t, s->host, &host));
    if (s->first) {
        p = txn_new_pool(s->t);
        p->master = s->host;
        s->pool = p->self;
        p->restrictions = setup_restrictions(s->a);
    } else {
        TRY(txn_edit_pool(s->t, s->pool, &p));
    }
    p->cpu_info = host->cpu_info;
    return NULL;
}

/* Roles are rows whose references everybody knows in advance. */
struct error *setup_roles(struct setup *s)
{
    for (int i = 0; i < ROLE_MAX; i++) {
        const char *ref = arena_printf(s->a, REF_PREFIX "%s", role_infos[i].uuid);
        struct role_rec *r;

        if (txn_find_role(s->t, ref))
            continue;
        r = (struct role_rec *)txn_insert_ref(s->t, CLASS_ROLE, ref);
        r->uuid = role_infos[i].uuid;
        r->name_label = role_infos[i].name;
        r->name_description = role_infos[i].doc;
        r->is_internal = role_infos[i].internal;
    }
    return NULL;
}
