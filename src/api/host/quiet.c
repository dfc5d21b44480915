/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that have nothing to do on such a host, once it is clear that the host exists. */
#include "base/log.h"
#include "gen/class/SR_txn.h"
#include "gen/class/host_txn.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/host.h"
#include "gen/msg/pool.h"
#include "rpc/call.h"

#define AUDIT_LINE_MAX 4096

static struct error *check(struct call *c, const char *ref)
{
    const struct host_rec *host;

    return txn_host(c->txn, ref, &host);
}

/* Every feature is there without a licence. */
struct error *api_host_license_add(struct call *c, const struct host_license_add_args *a)
{
    return check(c, a->host);
}

struct error *api_host_license_remove(struct call *c, const struct host_license_remove_args *a)
{
    return check(c, a->host);
}

/* Supplemental packs are packages of the distribution. */
struct error *api_host_refresh_pack_info(struct call *c,
                                         const struct host_refresh_pack_info_args *a)
{
    return check(c, a->host);
}

/* Domains that do not give memory back: ballooning waits for nobody. */
struct error *api_host_get_uncooperative_domains(
    struct call *c, const struct host_get_uncooperative_domains_args *a, struct set_string *ret)
{
    *ret = (struct set_string){0};
    return check(c, a->self);
}

/* Rows of networks follow the host by themselves. */
struct error *api_host_sync_vlans(struct call *c, const struct host_sync_vlans_args *a)
{
    return check(c, a->host);
}

struct error *api_host_sync_tunnels(struct call *c, const struct host_sync_tunnels_args *a)
{
    return check(c, a->host);
}

struct error *api_host_sync_pif_currently_attached(
    struct call *c, const struct host_sync_pif_currently_attached_args *a)
{
    return check(c, a->host);
}

/* ---- among hosts; this one alone answers for its pool */

/* Nobody has to be told. */
struct error *api_host_prepare_for_poweroff(struct call *c,
                                            const struct host_prepare_for_poweroff_args *a)
{
    return check(c, a->host);
}

/* Every commit is on disk already, and no other host has a copy. */
struct error *api_host_request_backup(struct call *c, const struct host_request_backup_args *a)
{
    return check(c, a->host);
}

/* They would come from this host. */
struct error *api_host_request_config_file_sync(struct call *c,
                                                const struct host_request_config_file_sync_args *a)
{
    return check(c, a->host);
}

struct error *api_host_copy_primary_host_certs(struct call *c,
                                               const struct host_copy_primary_host_certs_args *a)
{
    return check(c, a->host);
}

struct error *api_host_cleanup_pool_secret(struct call *c,
                                           const struct host_cleanup_pool_secret_args *a)
{
    return check(c, a->host);
}

struct error *api_host_detach_static_vdis(struct call *c,
                                          const struct host_detach_static_vdis_args *a)
{
    return check(c, a->host);
}

/* Of the pool there are never any (pool.set_custom_uefi_certificates); others come with firmware.
 */
struct error *api_host_write_uefi_certificates_to_disk(
    struct call *c, const struct host_write_uefi_certificates_to_disk_args *a)
{
    return check(c, a->host);
}

/* What another host saw goes into the log of this one, as one line. */
struct error *api_pool_audit_log_append(struct call *c, const struct pool_audit_log_append_args *a)
{
    if (strlen(a->line) > AUDIT_LINE_MAX || strpbrk(a->line, "\r\n"))
        return err_invalid_value("line", "too long, or more than a line");
    log_info("audit: %s", a->line);
    return NULL;
}

/* Agents of guests read the settings of the pool when they ask. */
struct error *api_host_apply_guest_agent_config(struct call *c,
                                                const struct host_apply_guest_agent_config_args *a)
{
    return check(c, a->host);
}

/* TLS before 1.2 cannot be had back. */
struct error *api_host_set_ssl_legacy(struct call *c, const struct host_set_ssl_legacy_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    if (a->value)
        return err_value_not_supported("ssl_legacy", "true", "TLS before 1.2 is refused");
    h->ssl_legacy = false;
    return NULL;
}

/* The display of the machine is never taken from it, so there is nothing to give back. */
struct error *api_host_enable_display(struct call *c, const struct host_enable_display_args *a,
                                      int *ret)
{
    *ret = HOST_DISPLAY_ENABLED;
    return check(c, a->host);
}

/* Processors are given out one by one. */
struct error *api_host_get_sched_gran(struct call *c, const struct host_get_sched_gran_args *a,
                                      int *ret)
{
    *ret = HOST_SCHED_GRAN_CPU;
    return check(c, a->self);
}

struct error *api_host_set_sched_gran(struct call *c, const struct host_set_sched_gran_args *a)
{
    TRY(check(c, a->self));
    if (a->value == HOST_SCHED_GRAN_CPU)
        return NULL;
    return err_value_not_supported("sched_gran",
                                   a->value == HOST_SCHED_GRAN_CORE ? "core" : "socket",
                                   "processors are given out one by one");
}

struct error *api_host_set_license_params(struct call *c,
                                          const struct host_set_license_params_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, a->self, &h));
    h->license_params = a->value;
    return NULL;
}

/* ---- caches of disks on local storage: there are none */

struct error *api_host_enable_local_storage_caching(
    struct call *c, const struct host_enable_local_storage_caching_args *a)
{
    const struct sr_rec *sr;

    TRY(check(c, a->host));
    TRY(txn_sr(c->txn, a->sr, &sr));
    return err_sr_operation_not_supported(sr->self);
}

struct error *api_host_disable_local_storage_caching(
    struct call *c, const struct host_disable_local_storage_caching_args *a)
{
    return check(c, a->host);
}

struct error *api_pool_disable_local_storage_caching(
    struct call *c, const struct pool_disable_local_storage_caching_args *a)
{
    const struct pool_rec *pool;

    return txn_pool(c->txn, a->self, &pool);
}

/* ---- of a host without its store */

struct error *api_host_ha_xapi_healthcheck(struct call *c,
                                           const struct host_ha_xapi_healthcheck_args *a, bool *ret)
{
    *ret = true; /* it answers */
    return NULL;
}

struct error *api_host_local_assert_healthy(struct call *c,
                                            const struct host_local_assert_healthy_args *a)
{
    return NULL;
}

struct error *api_host_signal_networking_change(struct call *c,
                                                const struct host_signal_networking_change_args *a)
{
    return NULL;
}

struct error *api_host_emergency_clear_mandatory_guidance(
    struct call *c, const struct host_emergency_clear_mandatory_guidance_args *a)
{
    struct host_rec *h;

    TRY(txn_edit_host(c->txn, c->daemon->host_ref, &h));
    h->pending_guidances = (struct set_enum){0};
    return NULL;
}
