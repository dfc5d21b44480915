/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PIF.reconfigure_ip and its like: the addresses an interface is to have. An interface that is
 * plugged is one the machine uses: its configuration is not changed from here yet, so that only
 * what it has already is accepted there.
 */
#include "api/common/lists.h"
#include "api/pif/pif.h"
#include "gen/class/pool_txn.h"
#include "gen/msg/PIF.h"
#include "rpc/call.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define PREFIX6_MAX 128

static bool is_ip4(const char *text)
{
    struct in_addr bin;

    return inet_pton(AF_INET, text, &bin) == 1;
}

static bool is_ip6(const char *text)
{
    struct in6_addr bin;

    return inet_pton(AF_INET6, text, &bin) == 1;
}

/* Ones, then zeros. */
static bool is_netmask(const char *text)
{
    struct in_addr bin;

    if (inet_pton(AF_INET, text, &bin) != 1)
        return false;
    uint32_t zeros = ~ntohl(bin.s_addr);

    return !(zeros & (zeros + 1));
}

static bool is_cidr6(struct arena *a, const char *text)
{
    const char *slash = strchr(text, '/');
    char *end;

    if (!slash || !is_ip6(arena_printf(a, "%.*s", (int)(slash - text), text)))
        return false;
    long n = strtol(slash + 1, &end, 10);

    return slash[1] >= '0' && slash[1] <= '9' && !*end && n <= PREFIX6_MAX;
}

static bool is_dns(struct arena *a, const char *text)
{
    char *list = arena_strdup(a, text), *name;

    if (!*text)
        return true;
    while ((name = strsep(&list, ",")))
        if (!is_ip4(name) && !is_ip6(name))
            return false;
    return true;
}

static struct error *check_common(struct call *c, const struct pif_rec *pif, bool none)
{
    const struct pool_rec *pool;

    TRY(txn_pool(c->txn, c->daemon->pool_ref, &pool));
    if (!pif->managed)
        return err_pif_unmanaged(pif->self);
    if (!is_null_ref(pif->bond_slave_of))
        return err_pif_already_bonded(pif->self);
    if (pif->management && none)
        return err_pif_is_management_interface(pif->self);
    return pif->management && pool->ha_enabled ? err_ha_is_enabled() : NULL;
}

static struct error *refuse_plugged(const struct pif_rec *pif)
{
    if (!pif->currently_attached)
        return NULL;
    return err_pif_configuration_error(
        pif->self, "the configuration of an interface in use cannot be changed yet");
}

static struct error *check_ip4(struct call *c, const struct pif_reconfigure_ip_args *a)
{
    if (!is_dns(c->arena, a->DNS))
        return err_invalid_ip_address_specified("DNS");
    if (a->mode != IP_CONFIGURATION_MODE_STATIC)
        return NULL;
    if (!is_ip4(a->IP))
        return err_invalid_ip_address_specified("IP");
    if (!is_netmask(a->netmask))
        return err_invalid_ip_address_specified("netmask");
    if (*a->gateway && !is_ip4(a->gateway))
        return err_invalid_ip_address_specified("gateway");
    return NULL;
}

struct error *api_pif_reconfigure_ip(struct call *c, const struct pif_reconfigure_ip_args *a)
{
    bool is_static = a->mode == IP_CONFIGURATION_MODE_STATIC;
    struct pif_rec *pif;

    TRY(txn_edit_pif(c->txn, a->self, &pif));
    TRY(check_common(c, pif, a->mode == IP_CONFIGURATION_MODE_NONE));
    TRY(check_ip4(c, a));
    if (pif->ip_configuration_mode == a->mode &&
        (!is_static || (streq(pif->IP, a->IP) && streq(pif->netmask, a->netmask) &&
                        streq(pif->gateway, a->gateway) && streq(pif->DNS, a->DNS))))
        return NULL;
    TRY(refuse_plugged(pif));
    pif->ip_configuration_mode = a->mode;
    pif->IP = is_static ? a->IP : "";
    pif->netmask = is_static ? a->netmask : "";
    pif->gateway = is_static ? a->gateway : "";
    pif->DNS = is_static ? a->DNS : "";
    return NULL;
}

static struct error *check_cidr6(struct call *c, const struct pif_reconfigure_ipv6_args *a)
{
    if (!is_dns(c->arena, a->DNS))
        return err_invalid_ip_address_specified("DNS");
    if (a->mode != IPV6_CONFIGURATION_MODE_STATIC)
        return NULL;
    if (!is_cidr6(c->arena, a->IPv6))
        return err_invalid_cidr_address_specified("IPv6");
    if (*a->gateway && !is_ip6(a->gateway))
        return err_invalid_ip_address_specified("gateway");
    return NULL;
}

struct error *api_pif_reconfigure_ipv6(struct call *c, const struct pif_reconfigure_ipv6_args *a)
{
    bool is_static = a->mode == IPV6_CONFIGURATION_MODE_STATIC;
    struct set_string addresses = {0};
    struct pif_rec *pif;

    TRY(txn_edit_pif(c->txn, a->self, &pif));
    bool only_one = pif->primary_address_type == PRIMARY_ADDRESS_TYPE_IPV6;

    TRY(check_common(c, pif, only_one && a->mode == IPV6_CONFIGURATION_MODE_NONE));
    TRY(check_cidr6(c, a));
    if (is_static)
        set_add(c->arena, &addresses, a->IPv6);
    if (pif->ipv6_configuration_mode == a->mode &&
        (!is_static || (set_has(&pif->IPv6, a->IPv6) && streq(pif->ipv6_gateway, a->gateway))))
        return NULL;
    TRY(refuse_plugged(pif));
    pif->ipv6_configuration_mode = a->mode;
    pif->IPv6 = addresses;
    pif->ipv6_gateway = is_static ? a->gateway : "";
    if (is_static && *a->DNS)
        pif->DNS = a->DNS;
    return NULL;
}

/* Management keeps the family it is reached by. */
struct error *api_pif_set_primary_address_type(struct call *c,
                                               const struct pif_set_primary_address_type_args *a)
{
    struct pif_rec *pif;

    TRY(txn_edit_pif(c->txn, a->self, &pif));
    if (pif->primary_address_type == a->primary_address_type)
        return NULL;
    if (pif->management)
        return err_pif_is_management_interface(pif->self);
    pif->primary_address_type = a->primary_address_type;
    return NULL;
}
