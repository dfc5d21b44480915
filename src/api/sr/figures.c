/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data sources of a repository: what its row says of it, kept up to date by looks at the storage.
 */
#include "api/common/figures.h"
#include "gen/class/SR_txn.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"

static struct error *read_all(struct call *c, const char *ref, struct set_data_source_rec *ret)
{
    const struct sr_rec *sr;

    *ret = (struct set_data_source_rec){0};
    TRY(txn_sr(c->txn, ref, &sr));
    figures_add(c->arena, ret, "physical_utilisation", "Space in use", "B",
                (double)sr->physical_size, (double)sr->physical_utilisation);
    figures_add(c->arena, ret, "size", "Space in all", "B", (double)sr->physical_size,
                (double)sr->physical_size);
    return NULL;
}

struct error *api_sr_get_data_sources(struct call *c, const struct sr_get_data_sources_args *a,
                                      struct set_data_source_rec *ret)
{
    return read_all(c, a->sr, ret);
}

struct error *api_sr_query_data_source(struct call *c, const struct sr_query_data_source_args *a,
                                       double *ret)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->sr, &all));
    return figures_find(&all, a->data_source, ret);
}

struct error *api_sr_record_data_source(struct call *c, const struct sr_record_data_source_args *a)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->sr, &all));
    return figures_find(&all, a->data_source, NULL);
}

struct error *api_sr_forget_data_source_archives(
    struct call *c, const struct sr_forget_data_source_archives_args *a)
{
    struct set_data_source_rec all;

    TRY(read_all(c, a->sr, &all));
    return figures_find(&all, a->data_source, NULL);
}
