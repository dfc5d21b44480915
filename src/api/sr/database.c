/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a repository would need to hold copies of the database or the state of HA. */
#include "api/sr/sr.h"
#include "gen/class/SR_txn.h"
#include "gen/msg/SR.h"
#include "rpc/call.h"
#include "rules/lookup.h"

static struct error *check_feature(struct call *c, const char *ref, const char *const *features)
{
    const struct sr_rec *sr;

    TRY(txn_sr(c->txn, ref, &sr));
    TRY(sr_check_attached(c->daemon, c->txn, sr));
    const struct sm_rec *driver = find_driver(txn_view(c->txn), sr->type);

    for (size_t i = 0; features[i]; i++)
        if (driver_has_feature(driver, features[i]))
            return NULL;
    return err_sr_operation_not_supported(sr->self);
}

static const char *const for_database[] = {"SR_METADATA", NULL};
static const char *const for_ha[] = {"VDI_GENERATE_CONFIG", "VDI_ATTACH_OFFLINE", NULL};

struct error *api_sr_assert_can_host_ha_statefile(
    struct call *c, const struct sr_assert_can_host_ha_statefile_args *a)
{
    return check_feature(c, a->sr, for_ha);
}

struct error *api_sr_assert_supports_database_replication(
    struct call *c, const struct sr_assert_supports_database_replication_args *a)
{
    return check_feature(c, a->sr, for_database);
}

struct error *api_sr_enable_database_replication(
    struct call *c, const struct sr_enable_database_replication_args *a)
{
    TRY(check_feature(c, a->sr, for_database));
    return err_sr_operation_not_supported(a->sr);
}

/* It is on nowhere. */
struct error *api_sr_disable_database_replication(
    struct call *c, const struct sr_disable_database_replication_args *a)
{
    const struct sr_rec *sr;

    return txn_sr(c->txn, a->sr, &sr);
}
