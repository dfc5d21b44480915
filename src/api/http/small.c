/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small ones: GET /services, a list of programs behind this one, and GET /updates. */
#include "api/http/transfer.h"
#include "gen/class/pool.h"
#include "gen/errors.h"

/* There are none: what they do elsewhere is done by the daemons themselves here. */
static struct error *services(struct transfer *t)
{
    static const char page[] = "<html><body><ul></ul></body></html>\n";
    const char *rest = t->rq->head.path + strlen("/services");

    if (*rest && !streq(rest, "/")) {
        t->status = 404;
        return err_handle_invalid("service", rest);
    }
    TRY(transfer_take(t, "text/html", NULL, sizeof(page) - 1));
    return stream_write(t->stream, page, sizeof(page) - 1);
}

const struct transfer_kind transfer_services = {.action = HTTP_GET_SERVICES, .run = services};

/* References with semicolons between. */
static struct error *check_hosts(struct transfer *t, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ";");
        const char *ref = arena_memdup0(&t->arena, list, n);
        _cleanup_version_ struct version *v = store_find(t->daemon->store, CLASS_HOST, ref);

        if (!v)
            return err_handle_invalid("host", ref);
        list += n + (list[n] == ';');
    }
    return NULL;
}

/* Packages come from the system's own repositories: nothing is ever known of those of the pool. */
static struct error *updates(struct transfer *t)
{
    _cleanup_version_ struct version *v =
        store_find(t->daemon->store, CLASS_POOL, t->daemon->pool_ref);
    const struct pool_rec *pool = v ? v->rec : NULL;

    TRY(check_hosts(t, transfer_param(t, "host_refs")));
    t->status = 404;
    return pool && pool->repositories.n ? err_invalid_repomd_xml() : err_no_repository_enabled();
}

const struct transfer_kind transfer_updates = {
    .action = HTTP_GET_UPDATES, .run = updates, .has_task = true};
